//! Organisations that sign up by themselves.

mod approve;
mod create;
mod list;
mod reject;
mod verify;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::signup;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::app::App;
use crate::check::Check;
use crate::problem::Problem;
use crate::session::password::Password;
use crate::signup::provision::Made;
use crate::signup::{Origin, Template, Wish};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create::create))
        .routes(routes!(verify::verify))
        .routes(routes!(list::list))
        .routes(routes!(reject::reject))
        .routes(routes!(approve::approve))
}

/// Who signs up, and for what.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewSignup {
    /// The address of the person. It has to be proven.
    #[schema(min_length = 3, max_length = 254, example = "ada@example.com")]
    email: String,
    /// What people call the person.
    #[schema(min_length = 1, max_length = 200, example = "Ada Lovelace")]
    name: String,
    /// The password: 12 to 128 characters that are not easily guessed.
    #[schema(value_type = String, format = Password, min_length = 12, max_length = 128)]
    password: Password,
    /// What people call the organisation: the name of its tenant.
    #[schema(min_length = 1, max_length = 200, example = "Acme")]
    organisation: String,
    /// The label of the hostname of its first site. If it is taken, the site gets one that begins
    /// with it.
    #[schema(
        min_length = 1,
        max_length = 63,
        pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
        example = "acme-shop"
    )]
    site_slug: String,
    /// What the site begins with.
    template: Template,
    /// Where its traffic goes. All templates but `empty` need it.
    #[serde(default)]
    origin: Option<Origin>,
}

impl NewSignup {
    fn check(&self, app: &App) -> Result<(), Problem> {
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

/// The proof that an address is somebody's.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Proof {
    /// The token of the e-mail.
    #[schema(min_length = 1, max_length = 200, example = "tne_<40 letters and digits>")]
    token: String,
}

/// What has come of a sign-up.
#[derive(Debug, Serialize, ToSchema)]
struct Outcome {
    /// Whether an operator has to approve it first.
    waiting: bool,
    /// What was made; null while it waits.
    #[schema(required = true)]
    made: Option<Made>,
}

/// A sign-up that waits for an operator.
#[derive(Debug, Serialize, ToSchema)]
struct Signup {
    id: Uuid,
    /// The address of the person, which is proven.
    email: String,
    /// What people call the person.
    name: String,
    /// What is to be made.
    #[schema(value_type = Wish)]
    wish: Value,
    /// Since when it waits.
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
