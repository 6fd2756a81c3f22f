//! APIs: each publishes versions under a base path of its site.

use chrono::{DateTime, Utc};
use policy::id::{ApiId, SiteId};
use policy::settings::ApiSettings;
use serde_json::{Value, json};
use sqlx::types::Json;
use uuid::Uuid;

use crate::base::audit::{Audited, Entry};
use crate::base::error::StoreError;
use crate::base::id::new_id;
use crate::base::queries::rows;
use crate::base::settings::sparse;
use crate::base::tx::TenantTx;
use crate::publishing::lock;
use crate::publishing::objects::objects_of_site;

/// The most APIs of a site.
pub const MAX_PER_SITE: u32 = 500;

/// An API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api {
    /// The API's id.
    pub id: ApiId,
    /// A name for people, unique in the site, 1 to 200 characters.
    pub name: String,
    /// The path before the version, unique in the site, 512 bytes at most; `/` stands for none.
    pub base_path: String,
    /// True if base path and version are taken off before the upstream sees the path.
    pub strip_base_path: bool,
    /// The settings of its requests.
    pub settings: ApiSettings,
    /// The number of changes, from 1.
    pub revision: i64,
    /// The time of its creation.
    pub created_at: DateTime<Utc>,
    /// The time of the last change.
    pub updated_at: DateTime<Utc>,
}

/// The fields of a new API.
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

/// A change of an API; `None` leaves a field as it is.
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

rows! { ($) api_rows =
    r#"id, name, base_path, strip_base_path, settings AS "settings: Json<ApiSettings>", revision,
       created_at, updated_at"#
    => |row| Api {
        id: ApiId(row.id),
        name: row.name,
        base_path: row.base_path,
        strip_base_path: row.strip_base_path,
        settings: row.settings.0,
        revision: row.revision,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

objects_of_site!(Api, ApiId, "api", api_rows of "apis", MAX_PER_SITE "APIs of a site");

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

/// Makes an API.
///
/// # Errors
/// [`StoreError::Conflict`] on `name` or `base_path`.
pub async fn create(tx: &mut TenantTx, site: SiteId, new: NewApi) -> Result<Api, StoreError> {
    lock::children(tx, site).await?;
    unless_full(tx, site).await?;
    let tenant = Uuid::from(tx.tenant());
    let api = api_rows!(
        "INSERT INTO apis (tenant_id, site_id, id, name, base_path, strip_base_path, settings)
         VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING";
        tenant,
        Uuid::from(site),
        new_id(),
        new.name,
        new.base_path,
        new.strip_base_path,
        sparse(&new.settings)
    )
    .fetch_one(tx.conn())
    .await
    .map_err(|error| taken(error, &new.name, &new.base_path))?;
    tx.record(Entry::created("api.create", api.id, &api));
    tx.mark_site(site);
    Ok(api)
}

/// Changes an API.
///
/// # Errors
/// As [`create`].
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
    let after = api_rows!(
        "UPDATE apis SET name = $4, base_path = $5, strip_base_path = $6, settings = $7,
                revision = revision + 1, updated_at = now()
         WHERE tenant_id = $1 AND site_id = $2 AND id = $3 RETURNING";
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
    erase(tx, site, id).await?;
    tx.record(Entry::deleted("api.delete", id, &before));
    tx.mark_site(site);
    Ok(())
}

fn taken(error: sqlx::Error, name: &str, base_path: &str) -> StoreError {
    StoreError::unique(
        error,
        &[("apis_name_key", "name", name), ("apis_base_path_key", "base_path", base_path)],
    )
}
