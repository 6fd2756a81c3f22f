//! The JSON shapes of signups.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::signup;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::accounts::provision::Made;
use crate::app::App;
use crate::forms::check::Check;
use crate::http::problem::Problem;
use crate::identity::password::Password;
use crate::signup::{Origin, Template, Wish};

/// A person who signs up, and the tenant that they want.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSignup {
    /// The address of the person. It has to be proven.
    #[schema(min_length = 3, max_length = 254, example = "ada@example.com")]
    pub(super) email: String,
    /// The name of the person.
    #[schema(min_length = 1, max_length = 200, example = "Ada Lovelace")]
    pub(super) name: String,
    /// The password: 12 to 128 characters that are not easily guessed.
    #[schema(value_type = String, format = Password, min_length = 12, max_length = 128)]
    pub(super) password: Password,
    /// The name of the organisation, which becomes the name of its tenant.
    #[schema(min_length = 1, max_length = 200, example = "Acme")]
    pub(super) organisation: String,
    /// The label of the hostname of its first site. If it is taken, the site gets one that begins
    /// with it.
    #[schema(
        min_length = 1,
        max_length = 63,
        pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
        example = "acme-shop"
    )]
    pub(super) site_slug: String,
    /// The first contents of the site.
    pub(super) template: Template,
    /// The destination of its traffic. All templates but `empty` need it.
    #[serde(default)]
    pub(super) origin: Option<Origin>,
}

impl NewSignup {
    pub(super) fn check(&self, app: &App) -> Result<(), Problem> {
        let mut check = Check::new();
        check.email("email", &self.email);
        check.name("name", &self.name);
        check.name("organisation", &self.organisation);
        check.slug("site_slug", &self.site_slug);
        match &self.origin {
            Some(origin) => {
                check.address("origin.address", &origin.address, &app.upstream_addresses);
                check.range("origin.port", origin.port.into(), &(1..=65_535));
            }
            None if self.template != Template::Empty => {
                check.refuse("origin", "is needed by this template; or use `empty`");
            }
            None => {}
        }
        check.finish()
    }
}

/// The proof of an address.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Proof {
    /// The token of the e-mail.
    #[schema(min_length = 1, max_length = 200, example = "tne_<40 letters and digits>")]
    pub(super) token: String,
}

/// The outcome of a sign-up.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Outcome {
    /// True if an operator has to approve it first.
    pub(super) waiting: bool,
    /// The objects that were made; null while it waits.
    #[schema(required = true)]
    pub(super) made: Option<Made>,
}

/// A sign-up that waits for an operator.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Signup {
    pub(super) id: Uuid,
    /// The address of the person, which is proven.
    pub(super) email: String,
    /// The name of the person.
    pub(super) name: String,
    /// The objects to make.
    #[schema(value_type = Wish)]
    wish: Value,
    /// The time since which it waits.
    #[schema(required = true)]
    waiting_since: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

impl From<signup::Signup> for Signup {
    fn from(row: signup::Signup) -> Self {
        Self {
            id: row.id,
            email: row.email,
            name: row.name,
            wish: row.wish,
            waiting_since: row.waiting_since,
            created_at: row.created_at,
        }
    }
}
