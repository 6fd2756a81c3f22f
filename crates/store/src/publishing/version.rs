//! Versions of an API.

use chrono::{DateTime, Utc};
use policy::id::{ApiId, SiteId, UpstreamId, VersionId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::base::audit::{Audited, Entry};
use crate::base::error::StoreError;
use crate::base::id::new_id;
use crate::base::queries::rows;
use crate::base::tx::TenantTx;
use crate::publishing::api;
use crate::publishing::objects::objects_of_parent;

/// The most versions of an API.
pub const MAX_PER_API: u32 = 50;

/// A version of an API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The version's id.
    pub id: VersionId,
    /// One path segment, such as `v1`, unique in the API, 1 to 64 unreserved characters.
    pub name: String,
    /// True if the name is a segment of its routes' paths. If not, they follow the API's base path
    /// directly.
    pub in_path: bool,
    /// The upstream of its routes, unless a route names one of its own.
    pub upstream_id: UpstreamId,
    /// Counts the changes, from 1; its routes do not count.
    pub revision: i64,
    /// The time of its creation.
    pub created_at: DateTime<Utc>,
    /// The time of the last change.
    pub updated_at: DateTime<Utc>,
}

/// The fields of a new version.
#[derive(Clone, Debug)]
pub struct NewVersion {
    /// See [`Version::name`].
    pub name: String,
    /// See [`Version::in_path`].
    pub in_path: bool,
    /// See [`Version::upstream_id`]: an upstream of the same site.
    pub upstream_id: UpstreamId,
}

/// A change of a version; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct VersionPatch {
    /// See [`Version::name`].
    pub name: Option<String>,
    /// See [`Version::in_path`].
    pub in_path: Option<bool>,
    /// See [`Version::upstream_id`].
    pub upstream_id: Option<UpstreamId>,
}

impl Version {
    /// The segment between the base path of the API and the paths of its routes, if there is one.
    pub fn segment(&self) -> Option<&str> {
        self.in_path.then_some(&self.name)
    }
}

rows! { ($) version_rows =
    "id, name, in_path, upstream_id, revision, created_at, updated_at"
    => |row| Version {
        id: VersionId(row.id),
        name: row.name,
        in_path: row.in_path,
        upstream_id: UpstreamId(row.upstream_id),
        revision: row.revision,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

objects_of_parent!(
    Version, VersionId, "version", version_rows of "api_versions", "versions of an API",
    api: ApiId = "api_id"
);

impl Audited for Version {
    fn form(&self) -> Value {
        json!({
            "name": self.name,
            "in_path": self.in_path,
            "upstream_id": self.upstream_id.to_string(),
            "revision": self.revision,
        })
    }
}

/// Makes a version.
///
/// # Errors
/// [`StoreError::Invalid`] if the site has no such upstream.
pub async fn create(
    tx: &mut TenantTx,
    site: SiteId,
    api: ApiId,
    new: NewVersion,
) -> Result<Version, StoreError> {
    api::lock(tx, site, api, None).await?;
    let tenant = Uuid::from(tx.tenant());
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM api_versions
           WHERE tenant_id = $1 AND site_id = $2 AND api_id = $3"#,
        tenant,
        Uuid::from(site),
        Uuid::from(api)
    )
    .fetch_one(tx.conn())
    .await?;
    StoreError::at_limit(count, "versions of an API", MAX_PER_API)?;
    let version = version_rows!(
        "INSERT INTO api_versions (tenant_id, site_id, api_id, id, name, in_path, upstream_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING";
        tenant,
        Uuid::from(site),
        Uuid::from(api),
        new_id(),
        new.name,
        new.in_path,
        Uuid::from(new.upstream_id)
    )
    .fetch_one(tx.conn())
    .await
    .map_err(|error| StoreError::unique(error, &[("api_versions_name_key", "name", &new.name)]))?;
    tx.record(Entry::created("version.create", version.id, &version));
    tx.mark_site(site);
    Ok(version)
}

/// Changes a version.
///
/// # Errors
/// [`StoreError::Invalid`] if the site has no such upstream.
pub async fn update(
    tx: &mut TenantTx,
    site: SiteId,
    api: ApiId,
    id: VersionId,
    patch: VersionPatch,
    expected_revision: Option<i64>,
) -> Result<Version, StoreError> {
    let before = lock(tx, site, api, id, expected_revision).await?;
    let tenant = Uuid::from(tx.tenant());
    let name = patch.name.unwrap_or_else(|| before.name.clone());
    let after = version_rows!(
        "UPDATE api_versions SET name = $4, upstream_id = $5, in_path = $6,
                revision = revision + 1, updated_at = now()
         WHERE tenant_id = $1 AND site_id = $2 AND id = $3 RETURNING";
        tenant,
        Uuid::from(site),
        Uuid::from(id),
        name,
        Uuid::from(patch.upstream_id.unwrap_or(before.upstream_id)),
        patch.in_path.unwrap_or(before.in_path)
    )
    .fetch_one(tx.conn())
    .await
    .map_err(|error| StoreError::unique(error, &[("api_versions_name_key", "name", &name)]))?;
    tx.record(Entry::updated("version.update", id, &before, &after));
    tx.mark_site(site);
    Ok(after)
}

/// Removes a version with its routes.
pub async fn delete(
    tx: &mut TenantTx,
    site: SiteId,
    api: ApiId,
    id: VersionId,
    expected_revision: Option<i64>,
) -> Result<(), StoreError> {
    let before = lock(tx, site, api, id, expected_revision).await?;
    let tenant = Uuid::from(tx.tenant());
    sqlx::query!(
        "DELETE FROM api_versions WHERE tenant_id = $1 AND site_id = $2 AND id = $3",
        tenant,
        Uuid::from(site),
        Uuid::from(id)
    )
    .execute(tx.conn())
    .await?;
    tx.record(Entry::deleted("version.delete", id, &before));
    tx.mark_site(site);
    Ok(())
}
