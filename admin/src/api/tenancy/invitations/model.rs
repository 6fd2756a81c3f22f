//! The JSON shapes of invitations.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use store::account::canonical_email;
use store::invitation;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::tenancy::grant::{self, RoleName, SiteRole};
use crate::forms::check::Check;
use crate::http::answer::Object;
use crate::http::body::{objects, present};
use crate::http::problem::Problem;
use crate::secret::InvitationToken;

/// The life of an invitation unless its maker says otherwise: a week.
const DAYS: i64 = 7;
/// The longest life: a person who has not come after a quarter is invited anew.
const MAX_DAYS: i64 = 90;

/// An invitation to become a member.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Invitation {
    pub id: Uuid,
    /// The address of the invited person. Only the account with this address can accept the
    /// invitation.
    #[schema(example = "ada@example.com")]
    email: String,
    /// The person's role in the tenant; null for roles in some sites alone.
    #[schema(required = true)]
    role: Option<RoleName>,
    /// The person's roles in single sites.
    sites: Vec<SiteRole>,
    /// The time from which it is void.
    expires_at: DateTime<Utc>,
    /// The time at which it was accepted; null if it was not.
    #[schema(required = true)]
    accepted_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    #[serde(skip)]
    revision: i64,
}

impl From<invitation::Invitation> for Invitation {
    fn from(row: invitation::Invitation) -> Self {
        Self {
            id: row.id,
            email: row.email,
            role: grant::role(&row.standing),
            sites: grant::sites(&row.standing),
            expires_at: row.expires_at,
            accepted_at: row.accepted_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
            revision: row.revision,
        }
    }
}

impl Object for Invitation {
    fn revision(&self) -> i64 {
        self.revision
    }
}

/// A new invitation, with the token that accepts it.
#[derive(Serialize, ToSchema)]
pub(super) struct InvitationWithToken {
    /// The token that accepts it. It is shown this once: pass it on to the person.
    #[schema(example = "tni_<40 letters and digits>")]
    pub(super) token: String,
    #[serde(flatten)]
    object: Invitation,
}

impl InvitationWithToken {
    pub(super) fn new(token: &InvitationToken, row: invitation::Invitation) -> Self {
        Self { token: token.reveal().to_owned(), object: row.into() }
    }
}

impl fmt::Debug for InvitationWithToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InvitationWithToken").field("object", &self.object).finish_non_exhaustive()
    }
}

impl Object for InvitationWithToken {
    const SECRET: bool = true;

    fn revision(&self) -> i64 {
        self.object.revision
    }
}

/// A new invitation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewInvitation {
    /// The address of the invited person.
    #[schema(min_length = 3, max_length = 254, example = "ada@example.com")]
    email: String,
    /// The person's role in the tenant; null for some sites alone.
    #[serde(default)]
    role: Option<RoleName>,
    /// The person's roles in single sites, 100 at most.
    #[serde(default, deserialize_with = "objects")]
    #[schema(required = false, max_items = 100)]
    sites: Vec<SiteRole>,
    /// The days for which it is good.
    #[serde(default, deserialize_with = "present")]
    #[schema(minimum = 1, maximum = 90, default = 7, nullable = false)]
    days: Option<i64>,
}

impl NewInvitation {
    pub(super) fn checked(
        self,
        now: DateTime<Utc>,
    ) -> Result<impl FnOnce(&InvitationToken) -> invitation::NewInvitation, Problem> {
        let mut check = Check::new();
        let email = canonical_email(&self.email);
        check.email("email", &email);
        let standing = grant::standing(&mut check, self.role, &self.sites);
        let days = self.days.unwrap_or(DAYS);
        check.range("days", days, &(1..=MAX_DAYS));
        check.finish()?;
        let expires_at = now + TimeDelta::days(days);
        Ok(move |token: &InvitationToken| invitation::NewInvitation {
            email,
            standing,
            digest: token.digest(),
            expires_at,
        })
    }
}
