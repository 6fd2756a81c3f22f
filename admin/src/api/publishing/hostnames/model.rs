//! The JSON shapes of hostnames.

use chrono::{DateTime, Utc};
use policy::host::BaseDomain;
use serde::{Deserialize, Serialize};
use store::hostname;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::forms::check::Check;
use crate::http::answer::Object;
use crate::http::problem::Problem;

/// A name that resolves to a site.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Hostname {
    pub id: Uuid,
    /// The whole name.
    #[schema(example = "acme-shop.gw.example.com")]
    name: String,
    /// True for the site's own hostname, which stays as long as the site.
    is_site_name: bool,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    #[serde(skip)]
    revision: i64,
}

impl From<hostname::Hostname> for Hostname {
    fn from(row: hostname::Hostname) -> Self {
        Self {
            id: row.id.into(),
            name: row.name,
            is_site_name: row.is_site_name,
            created_at: row.created_at,
            updated_at: row.updated_at,
            revision: row.revision,
        }
    }
}

impl Object for Hostname {
    fn revision(&self) -> i64 {
        self.revision
    }
}

/// A new hostname.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewHostname {
    /// The one label that precedes the base domain. Unique on the platform; some are reserved.
    #[schema(
        min_length = 1,
        max_length = 63,
        pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
        example = "acme-outlet"
    )]
    name: String,
}

impl NewHostname {
    pub(super) fn checked(
        self,
        base_domain: &BaseDomain,
    ) -> Result<hostname::NewHostname, Problem> {
        let mut check = Check::new();
        check.slug("name", &self.name);
        check.finish()?;
        Ok(hostname::NewHostname { name: base_domain.name(&self.name) })
    }
}
