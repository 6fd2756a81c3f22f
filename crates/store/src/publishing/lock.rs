//! Locks on sites. Rows are always locked from the top down, the tenant, its sites, what is in them,
//! so that no two transactions wait for each other.

use policy::id::SiteId;
use uuid::Uuid;

use crate::base::error::StoreError;
use crate::base::tx::TenantTx;
use crate::tenancy::tenant;

const NOT_FOUND: StoreError = StoreError::NotFound { what: "site" };

/// Proves that the site exists, whatever is in it.
pub async fn exists(tx: &mut TenantTx, id: SiteId) -> Result<(), StoreError> {
    let tenant = Uuid::from(tx.tenant());
    sqlx::query_scalar!(
        "SELECT id FROM sites WHERE tenant_id = $1 AND id = $2",
        tenant,
        Uuid::from(id)
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(NOT_FOUND)?;
    Ok(())
}

/// Makes every other change in these sites wait until this transaction ends, and whoever makes a
/// site of the tenant: for what does many things in a transaction. The tenant first, then the sites
/// in their order, so that no two such can wait for each other. One that does not exist is no error
/// here.
pub async fn all(tx: &mut TenantTx, ids: &[SiteId]) -> Result<(), StoreError> {
    tenant::lock_for_children(tx).await?;
    let tenant = Uuid::from(tx.tenant());
    let ids: Vec<Uuid> = ids.iter().copied().map(Uuid::from).collect();
    sqlx::query!(
        "SELECT id FROM sites WHERE tenant_id = $1 AND id = ANY($2) ORDER BY id FOR UPDATE",
        tenant,
        &ids
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(())
}

/// Proves that the site exists and holds it until the end of the transaction. Whatever changes
/// something in a site calls this first: rows are then always locked from the top down, so that a
/// removal of the site cannot deadlock with it.
pub(crate) async fn share(tx: &mut TenantTx, id: SiteId) -> Result<(), StoreError> {
    let tenant = Uuid::from(tx.tenant());
    sqlx::query_scalar!(
        "SELECT id FROM sites WHERE tenant_id = $1 AND id = $2 FOR KEY SHARE",
        tenant,
        Uuid::from(id)
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(NOT_FOUND)?;
    Ok(())
}

/// Proves that the site exists, and makes every other change in it wait until this transaction
/// ends.
pub(crate) async fn whole(tx: &mut TenantTx, id: SiteId) -> Result<(), StoreError> {
    let tenant = Uuid::from(tx.tenant());
    sqlx::query_scalar!(
        "SELECT id FROM sites WHERE tenant_id = $1 AND id = $2 FOR UPDATE",
        tenant,
        Uuid::from(id)
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(NOT_FOUND)?;
    Ok(())
}

/// Like [`share`], and keeps others from making children of the site meanwhile, so that their number
/// stays what was counted.
pub async fn children(tx: &mut TenantTx, id: SiteId) -> Result<(), StoreError> {
    let tenant = Uuid::from(tx.tenant());
    sqlx::query_scalar!(
        "SELECT id FROM sites WHERE tenant_id = $1 AND id = $2 FOR NO KEY UPDATE",
        tenant,
        Uuid::from(id)
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(NOT_FOUND)?;
    Ok(())
}
