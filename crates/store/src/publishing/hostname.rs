//! Hostnames: the names that resolve to a site.

use chrono::{DateTime, Utc};
use policy::id::{HostnameId, SiteId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::base::audit::{Audited, Entry};
use crate::base::error::StoreError;
use crate::base::id::new_id;
use crate::base::queries::rows;
use crate::base::tx::TenantTx;
use crate::publishing::lock;
use crate::publishing::objects::objects_of_site;

/// The most hostnames of a site, its own included.
pub const MAX_PER_SITE: u32 = 100;

/// A hostname.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hostname {
    /// The hostname's id.
    pub id: HostnameId,
    /// The whole canonical name: lower case, no port, no trailing dot. Unique on the platform.
    pub name: String,
    /// True for the site's own `<slug>.<base domain>`, which lives as long as the site.
    pub is_site_name: bool,
    /// The number of changes, from 1.
    pub revision: i64,
    /// The time of its creation.
    pub created_at: DateTime<Utc>,
    /// The time of the last change.
    pub updated_at: DateTime<Utc>,
}

/// The fields of a new hostname.
#[derive(Clone, Debug)]
pub struct NewHostname {
    /// See [`Hostname::name`]: the whole name, base domain included.
    pub name: String,
}

rows! { ($) hostname_rows =
    "id, name, is_site_name, revision, created_at, updated_at"
    => |row| Hostname {
        id: HostnameId(row.id),
        name: row.name,
        is_site_name: row.is_site_name,
        revision: row.revision,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

objects_of_site!(
    Hostname, HostnameId, "hostname", hostname_rows of "hostnames",
    MAX_PER_SITE "hostnames of a site"
);

impl Audited for Hostname {
    fn form(&self) -> Value {
        json!({ "name": self.name, "is_site_name": self.is_site_name, "revision": self.revision })
    }
}

/// Gives a site one more hostname.
///
/// # Errors
/// [`StoreError::Conflict`] on `name` if any site of the platform has it.
pub async fn create(
    tx: &mut TenantTx,
    site: SiteId,
    new: NewHostname,
) -> Result<Hostname, StoreError> {
    lock::children(tx, site).await?;
    unless_full(tx, site).await?;
    insert(tx, site, &new.name, false).await
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
    let before = lock(tx, site, id, expected_revision).await?;
    if before.is_site_name {
        return Err(StoreError::InUse { what: "hostname", by: "site" });
    }
    erase(tx, site, id).await?;
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
    let hostname = hostname_rows!(
        "INSERT INTO hostnames (tenant_id, site_id, id, name, is_site_name)
         VALUES ($1, $2, $3, $4, $5) RETURNING";
        tenant,
        Uuid::from(site),
        new_id(),
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
