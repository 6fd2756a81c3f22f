//! Tenants: the customer organisations. Platform work.

use chrono::{DateTime, Utc};
use policy::id::{SiteId, TenantId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::audit::{Audited, Entry};
use crate::change::Change;
use crate::tx::{PlatformTx, TenantTx};
use crate::{Page, StoreError};

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// The tenant's id.
    pub id: TenantId,
    /// What people call it, 1 to 200 characters.
    pub name: String,
    /// A short name that is unique on the platform: a DNS label.
    pub slug: Option<String>,
    /// Counts the changes, from 1.
    pub revision: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// What a new tenant is made of.
#[derive(Clone, Debug)]
pub struct NewTenant {
    /// See [`Tenant::name`].
    pub name: String,
    /// See [`Tenant::slug`].
    pub slug: Option<String>,
}

/// What may change of a tenant; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct TenantPatch {
    /// See [`Tenant::name`].
    pub name: Option<String>,
    /// See [`Tenant::slug`]; `Some(None)` takes it away.
    pub slug: Option<Option<String>>,
}

impl Audited for Tenant {
    fn form(&self) -> Value {
        json!({ "name": self.name, "slug": self.slug, "revision": self.revision })
    }
}

const NOT_FOUND: StoreError = StoreError::NotFound { what: "tenant" };

/// Makes a tenant.
pub async fn create(tx: &mut PlatformTx, new: NewTenant) -> Result<Tenant, StoreError> {
    let slug = new.slug.clone().unwrap_or_default();
    let tenant = sqlx::query_as!(
        Tenant,
        "INSERT INTO tenants (id, name, slug) VALUES ($1, $2, $3)
         RETURNING id, name, slug, revision, created_at, updated_at",
        Uuid::now_v7(),
        new.name,
        new.slug
    )
    .fetch_one(tx.conn())
    .await
    .map_err(|error| StoreError::unique(error, &[("tenants_slug_key", "slug", &slug)]))?;
    tx.core.record(tenant.id, Entry::created("tenant.create", tenant.id, &tenant));
    Ok(tenant)
}

/// Reads a tenant.
pub async fn get(tx: &mut PlatformTx, id: TenantId) -> Result<Tenant, StoreError> {
    sqlx::query_as!(
        Tenant,
        "SELECT id, name, slug, revision, created_at, updated_at FROM tenants WHERE id = $1",
        Uuid::from(id)
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(NOT_FOUND)
}

/// Reads a page of all tenants.
pub async fn list(tx: &mut PlatformTx, page: Page) -> Result<Vec<Tenant>, StoreError> {
    Ok(sqlx::query_as!(
        Tenant,
        "SELECT id, name, slug, revision, created_at, updated_at FROM tenants WHERE id > $1 ORDER BY id LIMIT $2",
        page.after(),
        page.limit()
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Changes a tenant.
pub async fn update(
    tx: &mut PlatformTx,
    id: TenantId,
    patch: TenantPatch,
    expected_revision: Option<i64>,
) -> Result<Tenant, StoreError> {
    let before = lock(tx, id, expected_revision).await?;
    let slug = patch.slug.unwrap_or_else(|| before.slug.clone());
    let sent = slug.clone().unwrap_or_default();
    let after = sqlx::query_as!(
        Tenant,
        "UPDATE tenants SET name = $2, slug = $3, revision = revision + 1, updated_at = now() WHERE id = $1
         RETURNING id, name, slug, revision, created_at, updated_at",
        Uuid::from(id),
        patch.name.unwrap_or_else(|| before.name.clone()),
        slug
    )
    .fetch_one(tx.conn())
    .await
    .map_err(|error| StoreError::unique(error, &[("tenants_slug_key", "slug", &sent)]))?;
    tx.core.record(id, Entry::updated("tenant.update", id, &before, &after));
    Ok(after)
}

/// Removes a tenant and everything it has; its audit log stays. Its traffic and its keys end at once.
pub async fn delete(tx: &mut PlatformTx, id: TenantId, expected_revision: Option<i64>) -> Result<(), StoreError> {
    let before = lock(tx, id, expected_revision).await?;
    tx.core.see_tenant(id).await?;
    // A new key holds its site's row, so once the sites are locked no bucket can be missing from what is read next.
    let sites = sqlx::query_scalar!("SELECT id FROM sites WHERE tenant_id = $1 ORDER BY id FOR UPDATE", Uuid::from(id))
        .fetch_all(tx.conn())
        .await?;
    let buckets = sqlx::query_scalar!("SELECT DISTINCT bucket FROM api_keys WHERE tenant_id = $1", Uuid::from(id))
        .fetch_all(tx.conn())
        .await?;
    sqlx::query!("DELETE FROM tenants WHERE id = $1", Uuid::from(id)).execute(tx.conn()).await?;
    for site in sites {
        tx.core.mark(id, Change::Site(SiteId(site)));
    }
    for bucket in buckets.into_iter().filter_map(|bucket| u16::try_from(bucket).ok()) {
        tx.core.mark(id, Change::Keys(bucket));
    }
    tx.core.record(id, Entry::deleted("tenant.delete", id, &before));
    Ok(())
}

async fn lock(tx: &mut PlatformTx, id: TenantId, expected_revision: Option<i64>) -> Result<Tenant, StoreError> {
    sqlx::query_scalar!("SELECT id FROM tenants WHERE id = $1 FOR UPDATE", Uuid::from(id))
        .fetch_optional(tx.conn())
        .await?
        .ok_or(NOT_FOUND)?;
    let tenant = get(tx, id).await?;
    StoreError::unless_expected(tenant.revision, expected_revision)?;
    Ok(tenant)
}

/// Proves that the tenant of the transaction exists, and lets no other make a site in it meanwhile.
pub(crate) async fn lock_for_children(tx: &mut TenantTx) -> Result<(), StoreError> {
    let id = Uuid::from(tx.tenant());
    sqlx::query_scalar!("SELECT id FROM tenants WHERE id = $1 FOR NO KEY UPDATE", id)
        .fetch_optional(tx.conn())
        .await?
        .ok_or(NOT_FOUND)?;
    Ok(())
}

/// Proves that the tenant of the transaction exists.
pub async fn require(tx: &mut TenantTx) -> Result<(), StoreError> {
    let id = Uuid::from(tx.tenant());
    sqlx::query_scalar!("SELECT id FROM tenants WHERE id = $1", id)
        .fetch_optional(tx.conn())
        .await?
        .ok_or(NOT_FOUND)?;
    Ok(())
}
