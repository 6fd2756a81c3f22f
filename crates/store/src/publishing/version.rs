//! Versions of an API.

use chrono::{DateTime, Utc};
use policy::id::{ApiId, SiteId, UpstreamId, VersionId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::base::audit::{Audited, Entry};
use crate::base::error::StoreError;
use crate::base::page::Page;
use crate::base::tx::TenantTx;
use crate::publishing::api;
use crate::publishing::lock;

/// How many versions an API may have.
pub const MAX_PER_API: u32 = 50;

/// A version of an API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The version's id.
    pub id: VersionId,
    /// One path segment, such as `v1`, unique in the API, 1 to 64 unreserved characters.
    pub name: String,
    /// Whether the name is a segment of its routes' paths. If not, they follow the base path of the
    /// API at once.
    pub in_path: bool,
    /// Where its routes send their traffic, those apart that name an upstream of their own.
    pub upstream_id: UpstreamId,
    /// Counts the changes, from 1; its routes do not count.
    pub revision: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// What a new version is made of.
#[derive(Clone, Debug)]
pub struct NewVersion {
    /// See [`Version::name`].
    pub name: String,
    /// See [`Version::in_path`].
    pub in_path: bool,
    /// See [`Version::upstream_id`]: an upstream of the same site.
    pub upstream_id: UpstreamId,
}

/// What may change of a version; `None` leaves it as it is.
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

const NOT_FOUND: StoreError = StoreError::NotFound { what: "version" };

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
        r#"SELECT count(*) AS "count!" FROM api_versions WHERE tenant_id = $1 AND site_id = $2 AND api_id = $3"#,
        tenant,
        Uuid::from(site),
        Uuid::from(api)
    )
    .fetch_one(tx.conn())
    .await?;
    StoreError::at_limit(count, "versions of an API", MAX_PER_API)?;
    let version = sqlx::query_as!(
        Version,
        "INSERT INTO api_versions (tenant_id, site_id, api_id, id, name, in_path, upstream_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         RETURNING id, name, in_path, upstream_id, revision, created_at, updated_at",
        tenant,
        Uuid::from(site),
        Uuid::from(api),
        crate::new_id(),
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

/// Reads a version.
pub async fn get(
    tx: &mut TenantTx,
    site: SiteId,
    api: ApiId,
    id: VersionId,
) -> Result<Version, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    sqlx::query_as!(
        Version,
        "SELECT id, name, in_path, upstream_id, revision, created_at, updated_at
         FROM api_versions WHERE tenant_id = $1 AND site_id = $2 AND api_id = $3 AND id = $4",
        tenant,
        Uuid::from(site),
        Uuid::from(api),
        Uuid::from(id)
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(NOT_FOUND)
}

/// Reads a page of an API's versions.
pub async fn list(
    tx: &mut TenantTx,
    site: SiteId,
    api: ApiId,
    page: Page,
) -> Result<Vec<Version>, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    let versions = sqlx::query_as!(
        Version,
        "SELECT id, name, in_path, upstream_id, revision, created_at, updated_at
         FROM api_versions WHERE tenant_id = $1 AND site_id = $2 AND api_id = $3 AND id > $4 ORDER BY id LIMIT $5",
        tenant,
        Uuid::from(site),
        Uuid::from(api),
        page.after(),
        page.limit()
    )
    .fetch_all(tx.conn())
    .await?;
    if versions.is_empty() {
        api::get(tx, site, api).await?;
    }
    Ok(versions)
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
    let after = sqlx::query_as!(
        Version,
        "UPDATE api_versions SET name = $4, upstream_id = $5, in_path = $6, revision = revision + 1, updated_at = now()
         WHERE tenant_id = $1 AND site_id = $2 AND id = $3
         RETURNING id, name, in_path, upstream_id, revision, created_at, updated_at",
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

/// Removes a version and its routes.
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

/// Reads a version and keeps others from changing it, or its routes, until the end of the
/// transaction.
pub(crate) async fn lock(
    tx: &mut TenantTx,
    site: SiteId,
    api: ApiId,
    id: VersionId,
    expected_revision: Option<i64>,
) -> Result<Version, StoreError> {
    lock::share(tx, site).await?;
    let tenant = Uuid::from(tx.tenant());
    sqlx::query_scalar!(
        "SELECT id FROM api_versions WHERE tenant_id = $1 AND site_id = $2 AND api_id = $3 AND id = $4 FOR UPDATE",
        tenant,
        Uuid::from(site),
        Uuid::from(api),
        Uuid::from(id)
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(NOT_FOUND)?;
    let version = get(tx, site, api, id).await?;
    StoreError::unless_expected(version.revision, expected_revision)?;
    Ok(version)
}
