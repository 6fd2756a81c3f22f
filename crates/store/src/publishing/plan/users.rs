//! The consumers of a plan, which keep it from being removed.

use policy::id::{ConsumerId, PlanId, SiteId};
use uuid::Uuid;

use crate::base::error::StoreError;
use crate::base::tx::TenantTx;

/// A consumer that has a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanUser {
    /// Its id.
    pub id: ConsumerId,
    /// Its name.
    pub name: String,
}

/// Reads `limit` consumers of a plan, oldest first; none if there is no such plan.
pub async fn users(
    tx: &mut TenantTx,
    site: SiteId,
    id: PlanId,
    limit: u32,
) -> Result<Vec<PlanUser>, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    Ok(sqlx::query_as!(
        PlanUser,
        "SELECT id, name FROM consumers WHERE tenant_id = $1 AND site_id = $2 AND plan_id = $3
         ORDER BY id LIMIT $4",
        tenant,
        Uuid::from(site),
        Uuid::from(id),
        i64::from(limit)
    )
    .fetch_all(tx.conn())
    .await?)
}
