//! The JSON shapes of versions.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use store::version;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::forms::check::Check;
use crate::http::answer::Object;
use crate::http::body::present;
use crate::http::problem::Problem;

/// A version of an API.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Version {
    pub id: Uuid,
    /// Its name: the segment of the path that follows the base path, if `in_path` is set.
    #[schema(example = "v1")]
    pub(super) name: String,
    /// True if the name is a segment of its routes' paths. If not, they follow the base path at
    /// once.
    pub(super) in_path: bool,
    /// The upstream of its routes, unless they name another.
    upstream_id: Uuid,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    #[serde(skip)]
    revision: i64,
}

impl From<version::Version> for Version {
    fn from(row: version::Version) -> Self {
        Self {
            id: row.id.into(),
            name: row.name,
            in_path: row.in_path,
            upstream_id: row.upstream_id.into(),
            created_at: row.created_at,
            updated_at: row.updated_at,
            revision: row.revision,
        }
    }
}

impl Object for Version {
    fn revision(&self) -> i64 {
        self.revision
    }
}

/// A new version.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewVersion {
    /// Its name: the segment of the path that follows the base path, if `in_path` is set. Unique in
    /// the API.
    #[schema(min_length = 1, max_length = 32, pattern = "^[a-z0-9][a-z0-9._-]*$", example = "v1")]
    pub(super) name: String,
    /// True if the name is a segment of its routes' paths. If not, they follow the base path at
    /// once.
    #[serde(default = "in_path")]
    #[schema(default = true)]
    pub(super) in_path: bool,
    /// The upstream of its routes, one of the site, unless they name another.
    upstream_id: Uuid,
}

/// The default of `in_path`.
pub(super) fn in_path() -> bool {
    true
}

impl NewVersion {
    pub(super) fn checked(self) -> Result<version::NewVersion, Problem> {
        let mut check = Check::new();
        check.version_name("name", &self.name);
        check.finish()?;
        Ok(version::NewVersion {
            name: self.name,
            in_path: self.in_path,
            upstream_id: self.upstream_id.into(),
        })
    }
}

/// Changes of a version.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VersionChanges {
    /// Its name: the segment of the path that follows the base path, if `in_path` is set. Unique in
    /// the API.
    #[serde(default, deserialize_with = "present")]
    #[schema(
        min_length = 1,
        max_length = 32,
        pattern = "^[a-z0-9][a-z0-9._-]*$",
        nullable = false
    )]
    pub(super) name: Option<String>,
    /// True if the name is a segment of its routes' paths. If not, they follow the base path at
    /// once.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub(super) in_path: Option<bool>,
    /// The upstream of its routes, one of the site, unless they name another.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    upstream_id: Option<Uuid>,
}

impl VersionChanges {
    pub(super) fn checked(self) -> Result<version::VersionPatch, Problem> {
        let mut check = Check::new();
        if let Some(name) = &self.name {
            check.version_name("name", name);
        }
        check.finish()?;
        Ok(version::VersionPatch {
            name: self.name,
            in_path: self.in_path,
            upstream_id: self.upstream_id.map(Into::into),
        })
    }
}
