//! The JSON shapes of service tokens.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use store::{Standing, service_token};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::tenancy::grant::{self, RoleName, SiteRole};
use crate::forms::check::Check;
use crate::http::answer::Object;
use crate::http::body::{objects, present};
use crate::http::problem::Problem;
use crate::rights::nouns;
use crate::rights::scopes::Scope;
use crate::secret;

/// The most scopes of a token: more than there are nouns.
const SCOPES: usize = 64;

/// A token of a tenant's program, without its text.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ServiceToken {
    pub id: Uuid,
    /// Its name.
    #[schema(example = "CI")]
    name: String,
    /// The beginning and the end of its text, to tell tokens apart.
    #[schema(example = "tns_aB3d...x7Qa")]
    hint: String,
    /// Its role in the tenant; null for roles in some sites alone.
    #[schema(required = true)]
    role: Option<RoleName>,
    /// Its roles in single sites.
    sites: Vec<SiteRole>,
    /// The part of its role that it may use; all of it if this is empty.
    #[schema(example = json!(["routes:write", "read"]))]
    scopes: Vec<String>,
    /// The time from which it is refused; null for never.
    #[schema(required = true)]
    expires_at: Option<DateTime<Utc>>,
    /// The time since which it is refused for good; null if it was not revoked.
    #[schema(required = true)]
    revoked_at: Option<DateTime<Utc>>,
    /// The time of its last use, to the minute; null for never.
    #[schema(required = true)]
    last_used_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    #[serde(skip)]
    revision: i64,
}

impl From<service_token::ServiceToken> for ServiceToken {
    fn from(row: service_token::ServiceToken) -> Self {
        Self {
            id: row.id,
            name: row.name,
            hint: row.hint,
            role: grant::role(&row.standing),
            sites: grant::sites(&row.standing),
            scopes: row.scopes,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            last_used_at: row.last_used_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
            revision: row.revision,
        }
    }
}

impl Object for ServiceToken {
    fn revision(&self) -> i64 {
        self.revision
    }
}

/// A new service token, with its text.
#[derive(Serialize, ToSchema)]
pub(super) struct ServiceTokenWithText {
    /// The token itself. It is shown this once.
    #[schema(example = "tns_<40 letters and digits>")]
    token: String,
    #[serde(flatten)]
    object: ServiceToken,
}

impl ServiceTokenWithText {
    pub(super) fn new(token: &secret::ServiceToken, row: service_token::ServiceToken) -> Self {
        Self { token: token.reveal().to_owned(), object: row.into() }
    }
}

impl fmt::Debug for ServiceTokenWithText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceTokenWithText").field("object", &self.object).finish_non_exhaustive()
    }
}

impl Object for ServiceTokenWithText {
    const SECRET: bool = true;

    fn revision(&self) -> i64 {
        self.object.revision
    }
}

/// A new service token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewServiceToken {
    /// Its name.
    #[schema(min_length = 1, max_length = 200, example = "CI")]
    pub(super) name: String,
    /// Its role in the tenant, no more than its maker's; null for roles in some sites alone.
    #[serde(default)]
    role: Option<RoleName>,
    /// Its roles in single sites, 100 at most.
    #[serde(default, deserialize_with = "objects")]
    #[schema(required = false, max_items = 100)]
    sites: Vec<SiteRole>,
    /// The part of its role that it may use: `read`, `write`, or either of one noun of this
    /// document, such as `signing-keys:write`. Writing includes reading. All of it if this is
    /// empty.
    #[serde(default)]
    #[schema(required = false, max_items = 64, example = json!(["routes:write", "read"]))]
    pub(super) scopes: Vec<String>,
    /// The time from which it is refused; null for never.
    #[serde(default)]
    pub(super) expires_at: Option<DateTime<Utc>>,
}

/// The wanted rights, in a form that can be compared with those of the token's maker.
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) standing: Standing,
    pub(super) scopes: Vec<Scope>,
    pub(super) expires_at: Option<DateTime<Utc>>,
}

impl NewServiceToken {
    pub(super) fn checked(self, now: DateTime<Utc>) -> Result<Wanted, Problem> {
        let mut check = Check::new();
        check.name("name", &self.name);
        let standing = grant::standing(&mut check, self.role, &self.sites);
        if self.scopes.len() > SCOPES {
            check.refuse("scopes", format!("there can be {SCOPES} at most"));
        }
        let mut scopes = Vec::new();
        for (index, text) in self.scopes.iter().enumerate().take(SCOPES) {
            let field = format!("scopes[{index}]");
            let Some(scope) = check.take(&field, text.parse::<Scope>()) else { continue };
            if scope.noun().is_some_and(|noun| !nouns::is_noun(noun)) {
                check.refuse(field, "has a noun that this document does not have");
            }
            scopes.push(scope);
        }
        check.future("expires_at", self.expires_at, now);
        check.finish()?;
        Ok(Wanted { name: self.name, standing, scopes, expires_at: self.expires_at })
    }
}

/// Changes of a service token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ServiceTokenChanges {
    /// Its name.
    #[serde(default, deserialize_with = "present")]
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    name: Option<String>,
}

impl ServiceTokenChanges {
    pub(super) fn checked(self) -> Result<Option<String>, Problem> {
        let mut check = Check::new();
        if let Some(name) = &self.name {
            check.name("name", name);
        }
        check.finish()?;
        Ok(self.name)
    }
}
