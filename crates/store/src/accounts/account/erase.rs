//! Erasing an account.

use policy::id::TenantId;

use super::{AccountId, PasswordHash, audit, lock};
use crate::base::audit::Entry;
use crate::base::error::StoreError;
use crate::base::tx::PlatformTx;
use crate::tenancy::{member, tenant};

/// Erases an account with the person's own data: its address, its name, its password, its factors
/// and its sessions, and its memberships. Audit logs keep their rows about it.
///
/// `proven` is the hash of the password that was compared.
///
/// # Errors
/// [`StoreError::LastAdminOf`] while it is the last Admin of a tenant; [`StoreError::Revision`] if
/// its password, or where it is a member, was changed meanwhile.
pub async fn erase(
    tx: &mut PlatformTx,
    id: AccountId,
    proven: Option<&PasswordHash>,
) -> Result<(), StoreError> {
    audit(tx, id, Entry { action: "account.erase", object: id.0, before: None, after: None })
        .await?;
    // The tenants first, in their order, as everything that makes members locks them; then the
    // account, which gets no new membership after that.
    let mut alone_in = Vec::new();
    for tenant in tenants_of(tx, id).await? {
        let before = match member::lock(tx, tenant, id, None).await {
            Err(StoreError::NotFound { .. }) => continue,
            before => before?,
        };
        match member::delete(tx, tenant, &before).await {
            Err(StoreError::LastAdmin) => alone_in.push(tenant::get(tx, tenant).await?.name),
            deleted => deleted?,
        }
    }
    if !alone_in.is_empty() {
        return Err(StoreError::LastAdminOf { tenants: alone_in });
    }
    let locked = lock(tx, id).await?;
    if locked.password.as_ref() != proven || !tenants_of(tx, id).await?.is_empty() {
        return Err(StoreError::Revision { current: locked.account.revision });
    }
    sqlx::query!("DELETE FROM accounts WHERE id = $1", id.0).execute(tx.conn()).await?;
    Ok(())
}

async fn tenants_of(tx: &mut PlatformTx, id: AccountId) -> Result<Vec<TenantId>, StoreError> {
    let tenants = sqlx::query_scalar!(
        "SELECT tenant_id FROM members WHERE account_id = $1 ORDER BY tenant_id",
        id.0
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(tenants.into_iter().map(TenantId).collect())
}
