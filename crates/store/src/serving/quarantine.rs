//! The sites whose configuration was refused: xds-server writes them, and reads them again at its
//! next start.

use chrono::{DateTime, Utc};
use policy::id::{SiteId, TenantId};
use uuid::Uuid;

use crate::base::change::{self, Change};
use crate::base::error::StoreError;
use crate::base::reader::{Reader, SnapshotTx};
use crate::base::tx::TenantTx;

/// The most bytes of a reason. Envoy quotes the configuration that it refuses.
const REASON_BYTES: usize = 4096;

/// A refusal of a site's resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The site.
    pub site: SiteId,
    /// The digest of its resources.
    pub digest: [u8; 32],
    /// The Envoy; `None` if xds-server could not even make the resources.
    pub node_id: Option<String>,
    /// The type of the resource; empty if there is none.
    pub resource_type: String,
    /// Its name; empty if there is none.
    pub resource: String,
    /// The reason.
    pub reason: String,
    /// The resources to serve instead, if others are known.
    pub good: Option<Vec<u8>>,
}

/// The quarantine of a site, for xds-server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// The site.
    pub site: SiteId,
    /// The digest of the resources that were refused.
    pub digest: [u8; 32],
    /// The resources to serve instead, if any are known.
    pub good: Option<Vec<u8>>,
}

/// Puts a site under quarantine, unless it is there for the same resources, and notes the Envoy
/// that refused them. Every replica then reads the site again. A site that is gone is left alone.
pub async fn refuse(reader: &Reader, refusal: &Refusal) -> Result<(), StoreError> {
    let mut tx = reader.pool.begin().await?;
    let site = Uuid::from(refusal.site);
    let reason = cut(&refusal.reason);
    let written = sqlx::query_scalar!(
        "INSERT INTO quarantine (tenant_id, site_id, digest, resource_type, resource, reason, good)
         SELECT tenant_id, id, $2, $3, $4, $5, $6 FROM sites WHERE id = $1
         ON CONFLICT (tenant_id, site_id) DO UPDATE
             SET digest = excluded.digest, resource_type = excluded.resource_type,
                 resource = excluded.resource,
                 reason = excluded.reason, at = clock_timestamp(), good = coalesce(excluded.good,
                     quarantine.good)
             WHERE quarantine.digest <> excluded.digest
         RETURNING tenant_id",
        site,
        &refusal.digest,
        refusal.resource_type,
        refusal.resource,
        reason,
        refusal.good
    )
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(tenant) = written {
        sqlx::query!("DELETE FROM refusals WHERE tenant_id = $1 AND site_id = $2", tenant, site)
            .execute(&mut *tx)
            .await?;
    }
    if let Some(node_id) = &refusal.node_id {
        sqlx::query!(
            "INSERT INTO refusals (tenant_id, site_id, node_id, resource_type, resource, reason)
             SELECT tenant_id, site_id, $2, $3, $4, $5 FROM quarantine WHERE site_id = $1
             ON CONFLICT (tenant_id, site_id, node_id) DO UPDATE
                 SET resource_type = excluded.resource_type, resource = excluded.resource,
                     reason = excluded.reason,
                     at = clock_timestamp()",
            site,
            node_id.replace('\0', ""),
            refusal.resource_type,
            refusal.resource,
            reason
        )
        .execute(&mut *tx)
        .await?;
    }
    if let Some(tenant) = written {
        change::lock(&mut tx).await?;
        let seq =
            change::write(&mut tx, &[(TenantId(tenant), Change::Site(refusal.site))], None).await?;
        sqlx::query!(
            "UPDATE quarantine SET seq = $3 WHERE tenant_id = $1 AND site_id = $2",
            tenant,
            site,
            seq
        )
        .execute(&mut *tx)
        .await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Ends the quarantine of a site, if it is still there for these resources: newer ones are good.
pub async fn release(reader: &Reader, site: SiteId, digest: &[u8; 32]) -> Result<(), StoreError> {
    sqlx::query!(
        "DELETE FROM quarantine WHERE site_id = $1 AND digest = $2",
        Uuid::from(site),
        digest
    )
    .execute(&reader.pool)
    .await?;
    Ok(())
}

/// Notes that a change of the site left the refused resources as they were. If the quarantine has
/// ended meanwhile, for something good in between, every replica reads the site again, and finds
/// them refused anew.
pub async fn still(
    reader: &Reader,
    site: SiteId,
    digest: &[u8; 32],
    seq: i64,
) -> Result<(), StoreError> {
    let mut tx = reader.pool.begin().await?;
    let id = Uuid::from(site);
    sqlx::query!(
        "UPDATE quarantine SET seq = $3 WHERE site_id = $1 AND digest = $2 AND seq < $3",
        id,
        digest,
        seq
    )
    .execute(&mut *tx)
    .await?;
    let released = sqlx::query_scalar!(
        "SELECT tenant_id FROM sites WHERE id = $1
           AND NOT EXISTS (SELECT FROM quarantine WHERE site_id = $1)",
        id
    )
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(tenant) = released {
        change::lock(&mut tx).await?;
        change::write(&mut tx, &[(TenantId(tenant), Change::Site(site))], None).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Reads the quarantines of these sites.
pub async fn of_sites(
    snapshot: &mut SnapshotTx,
    ids: &[SiteId],
) -> Result<Vec<Quarantined>, StoreError> {
    let ids: Vec<Uuid> = ids.iter().copied().map(Uuid::from).collect();
    let rows =
        sqlx::query!("SELECT site_id, digest, good FROM quarantine WHERE site_id = ANY ($1)", &ids)
            .fetch_all(snapshot.conn())
            .await?;
    let quarantined = rows.into_iter().filter_map(|row| {
        // A CHECK of the table rules out any other length.
        Some(Quarantined {
            site: SiteId(row.site_id),
            digest: row.digest.try_into().ok()?,
            good: row.good,
        })
    });
    Ok(quarantined.collect())
}

/// The quarantine of a site, for its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The site.
    pub site: SiteId,
    /// The number of the last change of the site that is known to lead to the refused resources.
    pub seq: i64,
    /// The type of the resource; empty if none could be made.
    pub resource_type: String,
    /// Its name.
    pub resource: String,
    /// Why.
    pub reason: String,
    /// The time of the first refusal.
    pub at: DateTime<Utc>,
    /// The Envoys that refused it.
    pub refused_by: Vec<RefusedBy>,
}

/// One Envoy's refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedBy {
    /// The Envoy's `node.id`.
    pub node_id: String,
    /// The reason.
    pub reason: String,
    /// The time.
    pub at: DateTime<Utc>,
}

/// Reads the quarantines of one of the tenant's sites, or of all.
pub async fn holds(tx: &mut TenantTx, site: Option<SiteId>) -> Result<Vec<Hold>, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    let site = site.map(Uuid::from);
    let rows = sqlx::query!(
        "SELECT site_id, seq, resource_type, resource, reason, at FROM quarantine
         WHERE tenant_id = $1 AND ($2::uuid IS NULL OR site_id = $2) ORDER BY site_id",
        tenant,
        site
    )
    .fetch_all(tx.conn())
    .await?;
    let refusals = sqlx::query!(
        "SELECT site_id, node_id, reason, at FROM refusals
         WHERE tenant_id = $1 AND ($2::uuid IS NULL OR site_id = $2) ORDER BY site_id, node_id",
        tenant,
        site
    )
    .fetch_all(tx.conn())
    .await?;
    let holds = rows.into_iter().map(|row| Hold {
        site: SiteId(row.site_id),
        seq: row.seq,
        resource_type: row.resource_type,
        resource: row.resource,
        reason: row.reason,
        at: row.at,
        refused_by: refusals
            .iter()
            .filter(|refusal| refusal.site_id == row.site_id)
            .map(|refusal| RefusedBy {
                node_id: refusal.node_id.clone(),
                reason: refusal.reason.clone(),
                at: refusal.at,
            })
            .collect(),
    });
    Ok(holds.collect())
}

/// Returns a reason that fits into the database: cut, and without NUL.
fn cut(reason: &str) -> String {
    let mut end = REASON_BYTES.min(reason.len());
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    reason[..end].replace('\0', "")
}
