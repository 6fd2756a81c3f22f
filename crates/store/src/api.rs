//! APIs: what a site publishes under a base path.

use chrono::{DateTime, Utc};
use policy::id::{ApiId, SiteId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::audit::{Audited, Entry};
use crate::tx::TenantTx;
use crate::{Page, StoreError, site};

/// How many APIs a site may have.
pub const MAX_PER_SITE: u32 = 500;

/// An API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api {
    /// The API's id.
    pub id: ApiId,
    /// What people call it, unique in the site, 1 to 200 characters.
    pub name: String,
    /// What precedes the version in the path, unique in the site; `/` means nothing. 512 bytes at most.
    pub base_path: String,
    /// Whether base path and version are taken off before the upstream sees the path.
    pub strip_base_path: bool,
    /// Counts the changes, from 1.
    pub revision: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// What a new API is made of.
#[derive(Clone, Debug)]
pub struct NewApi {
    /// See [`Api::name`].
    pub name: String,
    /// See [`Api::base_path`].
    pub base_path: String,
    /// See [`Api::strip_base_path`].
    pub strip_base_path: bool,
}

/// What may change of an API; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct ApiPatch {
    /// See [`Api::name`].
    pub name: Option<String>,
    /// See [`Api::base_path`].
    pub base_path: Option<String>,
    /// See [`Api::strip_base_path`].
    pub strip_base_path: Option<bool>,
}

impl Audited for Api {
    fn form(&self) -> Value {
        json!({
            "name": self.name,
            "base_path": self.base_path,
            "strip_base_path": self.strip_base_path,
            "revision": self.revision,
        })
    }
}

const NOT_FOUND: StoreError = StoreError::NotFound { what: "api" };

/// Makes an API.
pub async fn create(tx: &mut TenantTx, site: SiteId, new: NewApi) -> Result<Api, StoreError> {
    site::lock_for_children(tx, site).await?;
    let tenant = Uuid::from(tx.tenant());
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM apis WHERE tenant_id = $1 AND site_id = $2"#,
        tenant,
        Uuid::from(site)
    )
    .fetch_one(tx.conn())
    .await?;
    StoreError::at_limit(count, "APIs of a site", MAX_PER_SITE)?;
    let api = sqlx::query_as!(
        Api,
        "INSERT INTO apis (tenant_id, site_id, id, name, base_path, strip_base_path) VALUES ($1, $2, $3, $4, $5, $6)
         RETURNING id, name, base_path, strip_base_path, revision, created_at, updated_at",
        tenant,
        Uuid::from(site),
        Uuid::now_v7(),
        new.name,
        new.base_path,
        new.strip_base_path
    )
    .fetch_one(tx.conn())
    .await
    .map_err(|error| taken(error, &new.name, &new.base_path))?;
    tx.record(Entry::created("api.create", api.id, &api));
    tx.mark_site(site);
    Ok(api)
}

/// Reads an API.
pub async fn get(tx: &mut TenantTx, site: SiteId, id: ApiId) -> Result<Api, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    sqlx::query_as!(
        Api,
        "SELECT id, name, base_path, strip_base_path, revision, created_at, updated_at
         FROM apis WHERE tenant_id = $1 AND site_id = $2 AND id = $3",
        tenant,
        Uuid::from(site),
        Uuid::from(id)
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(NOT_FOUND)
}

/// Reads a page of a site's APIs.
pub async fn list(tx: &mut TenantTx, site: SiteId, page: Page) -> Result<Vec<Api>, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    let apis = sqlx::query_as!(
        Api,
        "SELECT id, name, base_path, strip_base_path, revision, created_at, updated_at
         FROM apis WHERE tenant_id = $1 AND site_id = $2 AND id > $3 ORDER BY id LIMIT $4",
        tenant,
        Uuid::from(site),
        page.after(),
        page.limit()
    )
    .fetch_all(tx.conn())
    .await?;
    if apis.is_empty() {
        site::get(tx, site).await?;
    }
    Ok(apis)
}

/// Changes an API.
pub async fn update(
    tx: &mut TenantTx,
    site: SiteId,
    id: ApiId,
    patch: ApiPatch,
    expected_revision: Option<i64>,
) -> Result<Api, StoreError> {
    let before = lock(tx, site, id, expected_revision).await?;
    let tenant = Uuid::from(tx.tenant());
    let name = patch.name.unwrap_or_else(|| before.name.clone());
    let base_path = patch.base_path.unwrap_or_else(|| before.base_path.clone());
    let after = sqlx::query_as!(
        Api,
        "UPDATE apis SET name = $4, base_path = $5, strip_base_path = $6, revision = revision + 1, updated_at = now()
         WHERE tenant_id = $1 AND site_id = $2 AND id = $3
         RETURNING id, name, base_path, strip_base_path, revision, created_at, updated_at",
        tenant,
        Uuid::from(site),
        Uuid::from(id),
        name,
        base_path,
        patch.strip_base_path.unwrap_or(before.strip_base_path)
    )
    .fetch_one(tx.conn())
    .await
    .map_err(|error| taken(error, &name, &base_path))?;
    tx.record(Entry::updated("api.update", id, &before, &after));
    tx.mark_site(site);
    Ok(after)
}

/// Removes an API, its versions and their routes.
pub async fn delete(
    tx: &mut TenantTx,
    site: SiteId,
    id: ApiId,
    expected_revision: Option<i64>,
) -> Result<(), StoreError> {
    let before = lock(tx, site, id, expected_revision).await?;
    let tenant = Uuid::from(tx.tenant());
    sqlx::query!(
        "DELETE FROM apis WHERE tenant_id = $1 AND site_id = $2 AND id = $3",
        tenant,
        Uuid::from(site),
        Uuid::from(id)
    )
    .execute(tx.conn())
    .await?;
    tx.record(Entry::deleted("api.delete", id, &before));
    tx.mark_site(site);
    Ok(())
}

/// Reads an API and keeps others from changing it, or from making versions of it, until the end of the transaction.
pub(crate) async fn lock(
    tx: &mut TenantTx,
    site: SiteId,
    id: ApiId,
    expected_revision: Option<i64>,
) -> Result<Api, StoreError> {
    site::hold(tx, site).await?;
    let tenant = Uuid::from(tx.tenant());
    sqlx::query_scalar!(
        "SELECT id FROM apis WHERE tenant_id = $1 AND site_id = $2 AND id = $3 FOR UPDATE",
        tenant,
        Uuid::from(site),
        Uuid::from(id)
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(NOT_FOUND)?;
    let api = get(tx, site, id).await?;
    StoreError::unless_expected(api.revision, expected_revision)?;
    Ok(api)
}

fn taken(error: sqlx::Error, name: &str, base_path: &str) -> StoreError {
    StoreError::unique(error, &[("apis_name_key", "name", name), ("apis_base_path_key", "base_path", base_path)])
}
