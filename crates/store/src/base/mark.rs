//! Marks for the change log: what xds-server has to read again after a change that reaches beyond
//! one object.

use policy::id::{ConsumerId, SiteId, TenantId};
use uuid::Uuid;

use crate::base::change::Change;
use crate::base::error::StoreError;
use crate::base::tx::{Core, PlatformTx, TenantTx};

/// Marks the buckets of all credentials of a consumer that is locked.
pub(crate) async fn credentials_of_consumer(
    tx: &mut TenantTx,
    site: SiteId,
    consumer: ConsumerId,
) -> Result<(), StoreError> {
    let tenant = Uuid::from(tx.tenant());
    let buckets = sqlx::query_scalar!(
        r#"SELECT bucket AS "bucket!" FROM api_keys
           WHERE tenant_id = $1 AND site_id = $2 AND consumer_id = $3 AND revoked_at IS NULL
           UNION SELECT bucket FROM signing_keys
           WHERE tenant_id = $1 AND site_id = $2 AND consumer_id = $3 AND revoked_at IS NULL
           UNION SELECT bucket FROM consumer_subjects
           WHERE tenant_id = $1 AND site_id = $2 AND consumer_id = $3"#,
        tenant,
        Uuid::from(site),
        Uuid::from(consumer)
    )
    .fetch_all(tx.conn())
    .await?;
    for bucket in buckets {
        self::bucket(tx, bucket);
    }
    Ok(())
}

/// Marks all buckets in which something of these sites may be. The sites are locked, and whatever
/// makes a credential holds its site: no bucket is missing.
pub(crate) async fn credentials_of_sites(
    core: &mut Core,
    tenant: TenantId,
    sites: &[Uuid],
) -> Result<(), StoreError> {
    let buckets = sqlx::query_scalar!(
        r#"SELECT bucket AS "bucket!" FROM api_keys
           WHERE tenant_id = $1 AND site_id = ANY($2) AND revoked_at IS NULL
           UNION SELECT bucket FROM signing_keys WHERE tenant_id = $1 AND site_id = ANY($2) AND revoked_at IS NULL
           UNION SELECT bucket FROM consumer_subjects WHERE tenant_id = $1 AND site_id = ANY($2)"#,
        Uuid::from(tenant),
        sites
    )
    .fetch_all(core.conn())
    .await?;
    let consumers = sqlx::query_scalar!(
        r#"SELECT consumer_bucket(id) AS "bucket!" FROM consumers
           WHERE tenant_id = $1 AND site_id = ANY($2) AND has_settings
           UNION SELECT consumer_bucket(consumer_id) FROM api_keys
           WHERE tenant_id = $1 AND site_id = ANY($2) AND settings <> '{}' AND revoked_at IS NULL
           UNION SELECT consumer_bucket(consumer_id) FROM signing_keys
           WHERE tenant_id = $1 AND site_id = ANY($2) AND revoked_at IS NULL"#,
        Uuid::from(tenant),
        sites
    )
    .fetch_all(core.conn())
    .await?;
    for bucket in numbers(buckets) {
        core.mark(tenant, Change::Keys(bucket));
    }
    for bucket in numbers(consumers) {
        core.mark(tenant, Change::Consumers(bucket));
    }
    Ok(())
}

/// Has all sites of a tenant read again: what it has is part of what each of them is made of. The
/// tenant's row is locked, and a new site would hold it.
pub(crate) async fn sites_of_tenant(tx: &mut PlatformTx, id: TenantId) -> Result<(), StoreError> {
    tx.core.see_tenant(id).await?;
    let sites = sqlx::query_scalar!("SELECT id FROM sites WHERE tenant_id = $1", Uuid::from(id))
        .fetch_all(tx.conn())
        .await?;
    for site in sites {
        tx.core.mark(id, Change::Site(SiteId(site)));
    }
    Ok(())
}

/// Marks everything that a tenant has.
pub(crate) async fn all_of_tenant(tx: &mut PlatformTx, id: TenantId) -> Result<(), StoreError> {
    tx.core.see_tenant(id).await?;
    // As in the removal of a tenant: a new credential holds its site's row, and is missing nowhere
    // once the sites are locked.
    let sites = sqlx::query_scalar!(
        "SELECT id FROM sites WHERE tenant_id = $1 ORDER BY id FOR UPDATE",
        Uuid::from(id)
    )
    .fetch_all(tx.conn())
    .await?;
    credentials_of_sites(&mut tx.core, id, &sites).await?;
    for site in sites {
        tx.core.mark(id, Change::Site(SiteId(site)));
    }
    tx.core.mark(id, Change::Listeners(id));
    Ok(())
}

/// Marks a bucket of credentials by the number that the database computed.
pub(crate) fn bucket(tx: &mut TenantTx, bucket: i32) {
    for bucket in numbers(vec![bucket]) {
        tx.mark_bucket(bucket);
    }
}

/// The numbers of buckets are computed from two bytes, so they always fit.
fn numbers(buckets: Vec<i32>) -> impl Iterator<Item = u16> {
    buckets.into_iter().filter_map(|bucket| u16::try_from(bucket).ok())
}
