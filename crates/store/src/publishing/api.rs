//! APIs: what a site publishes under a base path.

use chrono::{DateTime, Utc};
use policy::id::{ApiId, SiteId};
use policy::settings::ApiSettings;
use serde_json::{Value, json};
use sqlx::types::Json;
use uuid::Uuid;

use crate::base::audit::{Audited, Entry};
use crate::base::error::StoreError;
use crate::base::page::Page;
use crate::base::settings::sparse;
use crate::base::tx::TenantTx;
use crate::publishing::lock;

/// How many APIs a site may have.
pub const MAX_PER_SITE: u32 = 500;

/// An API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api {
    /// The API's id.
    pub id: ApiId,
    /// What people call it, unique in the site, 1 to 200 characters.
    pub name: String,
    /// What precedes the version in the path, unique in the site; `/` means nothing. 512 bytes at
    /// most.
    pub base_path: String,
    /// Whether base path and version are taken off before the upstream sees the path.
    pub strip_base_path: bool,
    /// What is set for its requests.
    pub settings: ApiSettings,
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
    /// See [`Api::settings`].
    pub settings: ApiSettings,
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
    /// See [`Api::settings`]; they are replaced as a whole.
    pub settings: Option<ApiSettings>,
}

struct Record {
    id: Uuid,
    name: String,
    base_path: String,
    strip_base_path: bool,
    settings: Json<ApiSettings>,
    revision: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Record> for Api {
    fn from(record: Record) -> Self {
        Self {
            id: ApiId(record.id),
            name: record.name,
            base_path: record.base_path,
            strip_base_path: record.strip_base_path,
            settings: record.settings.0,
            revision: record.revision,
            created_at: record.created_at,
            updated_at: record.updated_at,
        }
    }
}

impl Audited for Api {
    fn form(&self) -> Value {
        json!({
            "name": self.name,
            "base_path": self.base_path,
            "strip_base_path": self.strip_base_path,
            "settings": sparse(&self.settings),
            "revision": self.revision,
        })
    }
}

const NOT_FOUND: StoreError = StoreError::NotFound { what: "api" };

/// Makes an API.
pub async fn create(tx: &mut TenantTx, site: SiteId, new: NewApi) -> Result<Api, StoreError> {
    lock::children(tx, site).await?;
    let tenant = Uuid::from(tx.tenant());
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM apis WHERE tenant_id = $1 AND site_id = $2"#,
        tenant,
        Uuid::from(site)
    )
    .fetch_one(tx.conn())
    .await?;
    StoreError::at_limit(count, "APIs of a site", MAX_PER_SITE)?;
    let api: Api = sqlx::query_as!(
        Record,
        r#"INSERT INTO apis (tenant_id, site_id, id, name, base_path, strip_base_path, settings)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         RETURNING id, name, base_path, strip_base_path,
                settings AS "settings: Json<ApiSettings>", revision, created_at, updated_at"#,
        tenant,
        Uuid::from(site),
        crate::new_id(),
        new.name,
        new.base_path,
        new.strip_base_path,
        sparse(&new.settings)
    )
    .fetch_one(tx.conn())
    .await
    .map_err(|error| taken(error, &new.name, &new.base_path))?
    .into();
    tx.record(Entry::created("api.create", api.id, &api));
    tx.mark_site(site);
    Ok(api)
}

/// Reads an API.
pub async fn get(tx: &mut TenantTx, site: SiteId, id: ApiId) -> Result<Api, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    sqlx::query_as!(
        Record,
        r#"SELECT id, name, base_path, strip_base_path,
                settings AS "settings: Json<ApiSettings>", revision, created_at, updated_at
         FROM apis WHERE tenant_id = $1 AND site_id = $2 AND id = $3"#,
        tenant,
        Uuid::from(site),
        Uuid::from(id)
    )
    .fetch_optional(tx.conn())
    .await?
    .map(Api::from)
    .ok_or(NOT_FOUND)
}

/// Reads a page of a site's APIs.
pub async fn list(tx: &mut TenantTx, site: SiteId, page: Page) -> Result<Vec<Api>, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    let records = sqlx::query_as!(
        Record,
        r#"SELECT id, name, base_path, strip_base_path,
                settings AS "settings: Json<ApiSettings>", revision, created_at, updated_at
         FROM apis WHERE tenant_id = $1 AND site_id = $2 AND id > $3 ORDER BY id LIMIT $4"#,
        tenant,
        Uuid::from(site),
        page.after(),
        page.limit()
    )
    .fetch_all(tx.conn())
    .await?;
    if records.is_empty() {
        lock::exists(tx, site).await?;
    }
    Ok(records.into_iter().map(Api::from).collect())
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
    let after: Api = sqlx::query_as!(
        Record,
        r#"UPDATE apis SET name = $4, base_path = $5, strip_base_path = $6, settings = $7,
                revision = revision + 1, updated_at = now()
         WHERE tenant_id = $1 AND site_id = $2 AND id = $3
         RETURNING id, name, base_path, strip_base_path,
                settings AS "settings: Json<ApiSettings>", revision, created_at, updated_at"#,
        tenant,
        Uuid::from(site),
        Uuid::from(id),
        name,
        base_path,
        patch.strip_base_path.unwrap_or(before.strip_base_path),
        sparse(patch.settings.as_ref().unwrap_or(&before.settings))
    )
    .fetch_one(tx.conn())
    .await
    .map_err(|error| taken(error, &name, &base_path))?
    .into();
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

/// Reads an API and keeps others from changing it, or from making versions of it, until the end of
/// the transaction.
pub(crate) async fn lock(
    tx: &mut TenantTx,
    site: SiteId,
    id: ApiId,
    expected_revision: Option<i64>,
) -> Result<Api, StoreError> {
    lock::share(tx, site).await?;
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
    StoreError::unique(
        error,
        &[("apis_name_key", "name", name), ("apis_base_path_key", "base_path", base_path)],
    )
}
