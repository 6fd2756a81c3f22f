//! Hostnames: the names that resolve to a site.

use chrono::{DateTime, Utc};
use policy::id::{HostnameId, SiteId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::base::audit::{Audited, Entry};
use crate::base::error::StoreError;
use crate::base::page::Page;
use crate::base::tx::TenantTx;
use crate::publishing::lock;

/// How many hostnames a site may have, its own included.
pub const MAX_PER_SITE: u32 = 100;

/// A hostname.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hostname {
    /// The hostname's id.
    pub id: HostnameId,
    /// The whole canonical name: lower case, no port, no trailing dot. Unique on the platform.
    pub name: String,
    /// Whether it is the site's own `<slug>.<base domain>`, which lives as long as the site.
    pub is_site_name: bool,
    /// Counts the changes, from 1.
    pub revision: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// What a new hostname is made of.
#[derive(Clone, Debug)]
pub struct NewHostname {
    /// See [`Hostname::name`]: the whole name, base domain included.
    pub name: String,
}

impl Audited for Hostname {
    fn form(&self) -> Value {
        json!({ "name": self.name, "is_site_name": self.is_site_name, "revision": self.revision })
    }
}

const NOT_FOUND: StoreError = StoreError::NotFound { what: "hostname" };

/// Gives a site one more hostname.
pub async fn create(
    tx: &mut TenantTx,
    site: SiteId,
    new: NewHostname,
) -> Result<Hostname, StoreError> {
    lock::children(tx, site).await?;
    let tenant = Uuid::from(tx.tenant());
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM hostnames WHERE tenant_id = $1 AND site_id = $2"#,
        tenant,
        Uuid::from(site)
    )
    .fetch_one(tx.conn())
    .await?;
    StoreError::at_limit(count, "hostnames of a site", MAX_PER_SITE)?;
    insert(tx, site, &new.name, false).await
}

/// Reads a hostname.
pub async fn get(tx: &mut TenantTx, site: SiteId, id: HostnameId) -> Result<Hostname, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    sqlx::query_as!(
        Hostname,
        "SELECT id, name, is_site_name, revision, created_at, updated_at
         FROM hostnames WHERE tenant_id = $1 AND site_id = $2 AND id = $3",
        tenant,
        Uuid::from(site),
        Uuid::from(id)
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(NOT_FOUND)
}

/// Reads a page of a site's hostnames.
pub async fn list(
    tx: &mut TenantTx,
    site: SiteId,
    page: Page,
) -> Result<Vec<Hostname>, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    let hostnames = sqlx::query_as!(
        Hostname,
        "SELECT id, name, is_site_name, revision, created_at, updated_at
         FROM hostnames WHERE tenant_id = $1 AND site_id = $2 AND id > $3 ORDER BY id LIMIT $4",
        tenant,
        Uuid::from(site),
        page.after(),
        page.limit()
    )
    .fetch_all(tx.conn())
    .await?;
    if hostnames.is_empty() {
        lock::exists(tx, site).await?;
    }
    Ok(hostnames)
}

/// Takes a hostname from its site.
///
/// # Errors
/// [`StoreError::InUse`] for the site's own hostname.
pub async fn delete(
    tx: &mut TenantTx,
    site: SiteId,
    id: HostnameId,
    expected_revision: Option<i64>,
) -> Result<(), StoreError> {
    lock::share(tx, site).await?;
    let tenant = Uuid::from(tx.tenant());
    sqlx::query_scalar!(
        "SELECT id FROM hostnames WHERE tenant_id = $1 AND site_id = $2 AND id = $3 FOR UPDATE",
        tenant,
        Uuid::from(site),
        Uuid::from(id)
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(NOT_FOUND)?;
    let before = get(tx, site, id).await?;
    StoreError::unless_expected(before.revision, expected_revision)?;
    if before.is_site_name {
        return Err(StoreError::InUse { what: "hostname", by: "site" });
    }
    sqlx::query!(
        "DELETE FROM hostnames WHERE tenant_id = $1 AND site_id = $2 AND id = $3",
        tenant,
        Uuid::from(site),
        Uuid::from(id)
    )
    .execute(tx.conn())
    .await?;
    tx.record(Entry::deleted("hostname.delete", id, &before));
    tx.mark_site(site);
    Ok(())
}

/// Writes a hostname of a site that is locked.
pub(crate) async fn insert(
    tx: &mut TenantTx,
    site: SiteId,
    name: &str,
    is_site_name: bool,
) -> Result<Hostname, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    let hostname = sqlx::query_as!(
        Hostname,
        "INSERT INTO hostnames (tenant_id, site_id, id, name, is_site_name) VALUES ($1, $2, $3, $4, $5)
         RETURNING id, name, is_site_name, revision, created_at, updated_at",
        tenant,
        Uuid::from(site),
        crate::new_id(),
        name,
        is_site_name
    )
    .fetch_one(tx.conn())
    .await
    .map_err(|error| StoreError::unique(error, &[("hostnames_name_key", "name", name)]))?;
    tx.record(Entry::created("hostname.create", hostname.id, &hostname));
    tx.mark_site(site);
    Ok(hostname)
}
