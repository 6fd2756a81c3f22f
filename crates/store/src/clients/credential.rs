//! What API keys, signing keys and subjects have in common: the buckets that they are in.

use policy::id::{ConsumerId, SiteId, TenantId};
use uuid::Uuid;

use crate::base::change::Change;
use crate::base::error::StoreError;
use crate::base::tx::{Core, TenantTx};

/// Marks the buckets of all credentials of a consumer that is locked.
pub(crate) async fn mark_of_consumer(
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
        mark(tx, bucket);
    }
    Ok(())
}

/// Marks all buckets in which something of these sites may be. The sites are locked, and whatever
/// makes a credential holds its site: no bucket is missing.
pub(crate) async fn mark_of_sites(
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

/// Marks a bucket of credentials by the number that the database computed.
pub(crate) fn mark(tx: &mut TenantTx, bucket: i32) {
    for bucket in numbers(vec![bucket]) {
        tx.mark_bucket(bucket);
    }
}

/// The numbers of buckets are computed from two bytes, so they always fit.
fn numbers(buckets: Vec<i32>) -> impl Iterator<Item = u16> {
    buckets.into_iter().filter_map(|bucket| u16::try_from(bucket).ok())
}
