//! The JSON shapes of members.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use store::{Standing, member};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::tenancy::grant::{self, RoleName, SiteRole};
use crate::forms::check::Check;
use crate::http::answer::Object;
use crate::http::body::{present, present_objects};
use crate::http::problem::Problem;

/// A person in a tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Member {
    /// The person's account.
    pub account_id: Uuid,
    /// The address of the account.
    #[schema(example = "ada@example.com")]
    email: String,
    /// The name of the account.
    #[schema(example = "Ada Lovelace")]
    name: String,
    /// The person's role in the tenant; null for roles in some sites alone.
    #[schema(required = true)]
    role: Option<RoleName>,
    /// The person's roles in single sites.
    sites: Vec<SiteRole>,
    /// The time at which the person joined.
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    #[serde(skip)]
    revision: i64,
}

impl From<member::Member> for Member {
    fn from(row: member::Member) -> Self {
        Self {
            account_id: row.account.into(),
            email: row.email,
            name: row.name,
            role: grant::role(&row.standing),
            sites: grant::sites(&row.standing),
            created_at: row.created_at,
            updated_at: row.updated_at,
            revision: row.revision,
        }
    }
}

impl Object for Member {
    fn revision(&self) -> i64 {
        self.revision
    }
}

/// Changes of a member.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MemberChanges {
    /// The person's role in the tenant; null for some sites alone.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<RoleName>)]
    role: Option<Option<RoleName>>,
    /// The person's roles in single sites, 100 at most. They are replaced as a whole.
    #[serde(default, deserialize_with = "present_objects")]
    #[schema(nullable = false, max_items = 100)]
    sites: Option<Vec<SiteRole>>,
}

impl MemberChanges {
    /// The member as it will be; `now` is the member as it is.
    pub(super) fn applied_to(self, now: &Standing) -> Result<Standing, Problem> {
        let mut check = Check::new();
        let role = self.role.unwrap_or_else(|| grant::role(now));
        let sites = self.sites.unwrap_or_else(|| grant::sites(now));
        let standing = grant::standing(&mut check, role, &sites);
        check.finish()?;
        Ok(standing)
    }
}
