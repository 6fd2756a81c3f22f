//! Locks on sites. Rows are always locked from the top down: the tenant, its sites, then the rows
//! in them. So no two transactions wait for each other.

use policy::id::SiteId;
use uuid::Uuid;

use crate::base::error::StoreError;
use crate::base::tx::TenantTx;
use crate::tenancy::tenant;

/// Declares functions that prove that a site exists, with a lock of its row or without one.
macro_rules! locks {
    ($($(#[$doc:meta])* $vis:vis $name:ident: $lock:literal;)+) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// [`StoreError::NotFound`] if the tenant has no such site, and
        /// [`StoreError::BeingChanged`] if another change of it takes too long.
        $vis async fn $name(tx: &mut TenantTx, id: SiteId) -> Result<(), StoreError> {
            let tenant = Uuid::from(tx.tenant());
            let found = sqlx::query_scalar!(
                "SELECT id FROM sites WHERE tenant_id = $1 AND id = $2 " + $lock,
                tenant,
                Uuid::from(id)
            )
            .fetch_optional(tx.conn())
            .await
            .map_err(|error| StoreError::from(error).while_changing("site", id.into()))?;
            found.map(drop).ok_or(StoreError::NotFound { what: "site" })
        }
    )+};
}

locks! {
    /// Proves that the site exists, and locks nothing.
    pub exists: "";
    /// Keeps the site until the end of the transaction. Every change in a site calls this or
    /// another lock first, so that a removal of the site cannot deadlock with it.
    pub(crate) share: "FOR KEY SHARE";
    /// Like [`share`], and makes other transactions wait that make children of the site or call
    /// this, so that a number of children stays what was counted. Call it before checks that span
    /// the whole site.
    pub children: "FOR NO KEY UPDATE";
    /// Makes every other change in the site wait until the end of the transaction.
    pub(crate) whole: "FOR UPDATE";
}

/// Makes every other change in these sites wait until the end of the transaction, and the creation
/// of sites of the tenant: for transactions that do many things. Locks the tenant first, then the
/// sites in the order of their ids. A site that does not exist is no error here.
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
    .await
    .map_err(|error| StoreError::from(error).while_changing("tenant", tenant))?;
    Ok(())
}
