//! Marks for the change log, of changes that reach beyond one object.

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
        r#"SELECT DISTINCT bucket AS "bucket!" FROM unrevoked_credentials
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

/// Marks all buckets of credentials and consumers of these sites, which are locked. New credentials
/// hold their site: no bucket is missing.
pub(crate) async fn credentials_of_sites(
    core: &mut Core,
    tenant: TenantId,
    sites: &[Uuid],
) -> Result<(), StoreError> {
    let buckets = sqlx::query_scalar!(
        r#"SELECT DISTINCT bucket AS "bucket!" FROM unrevoked_credentials
           WHERE tenant_id = $1 AND site_id = ANY($2)"#,
        Uuid::from(tenant),
        sites
    )
    .fetch_all(core.conn())
    .await?;
    let consumers = sqlx::query_scalar!(
        r#"SELECT consumer_bucket(id) AS "bucket!" FROM consumers
           WHERE tenant_id = $1 AND site_id = ANY($2) AND has_settings
           UNION
           SELECT consumer_bucket(consumer_id) FROM unrevoked_credentials
           WHERE tenant_id = $1 AND site_id = ANY($2) AND in_consumer"#,
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

/// Marks all sites of a tenant: each is made of the tenant's settings too. The tenant's row is
/// locked, and a new site would hold it.
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

/// Locks all sites of a tenant, and marks them with everything in them.
pub(crate) async fn contents_of_tenant(
    tx: &mut PlatformTx,
    id: TenantId,
) -> Result<(), StoreError> {
    tx.core.see_tenant(id).await?;
    // A new credential holds its site's row, so none is missing once the sites are locked.
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
