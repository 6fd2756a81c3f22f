//! The allowance of a tenant by its platform plan, and its use. The database counts, and refuses
//! more (`migrations/0022_platform_plans.sql`).

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::base::error::StoreError;
use crate::base::tx::TenantTx;
use crate::platform::platform_plan::{self, PlatformPlan};
use crate::tenancy::tenant;

/// The use of everything that a platform plan limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// See [`crate::platform::platform_plan::Limits::sites`].
    pub sites: i64,
    /// See [`crate::platform::platform_plan::Limits::routes`].
    pub routes: i64,
    /// See [`crate::platform::platform_plan::Limits::keys`].
    pub keys: i64,
    /// See [`crate::platform::platform_plan::Limits::members`].
    pub members: i64,
    /// See [`crate::platform::platform_plan::Limits::config_bytes`].
    pub config_bytes: i64,
    /// Requests of the month so far, as reported, refused ones included.
    pub requests: i64,
}

/// The plan of a tenant, and its use of it.
#[derive(Clone, Debug)]
pub struct TenantLimits {
    /// Its plan.
    pub plan: PlatformPlan,
    /// Its use of the plan.
    pub used: Used,
}

/// Reads the plan of the tenant and its use. Its requests are counted since `month`.
pub async fn of_tenant(
    tx: &mut TenantTx,
    month: DateTime<Utc>,
) -> Result<TenantLimits, StoreError> {
    tenant::require(tx).await?;
    let id = Uuid::from(tx.tenant());
    let plan = platform_plan::plan_of_tenant(tx).await?;
    let total = sqlx::query!(
        "SELECT sites, routes, keys, members, config_bytes FROM tenant_totals WHERE tenant_id = $1",
        id
    )
    .fetch_optional(tx.conn())
    .await?;
    let mut used = total.map_or_else(Used::default, |total| Used {
        sites: total.sites,
        routes: total.routes,
        keys: total.keys,
        members: total.members,
        config_bytes: total.config_bytes,
        requests: 0,
    });
    // The total still counts keys that have expired: they leave it when their place is needed.
    used.keys -= sqlx::query_scalar!(
        r#"SELECT (SELECT count(*) FROM api_keys
                   WHERE tenant_id = $1 AND expires_at <= now()
                     AND revoked_at IS NULL AND NOT ended)
                + (SELECT count(*) FROM signing_keys
                   WHERE tenant_id = $1 AND expires_at <= now()
                     AND revoked_at IS NULL AND NOT ended) AS "expired!""#,
        id
    )
    .fetch_one(tx.conn())
    .await?;
    used.requests = sqlx::query_scalar!(
        r#"SELECT coalesce(sum(requests), 0)::bigint AS "requests!" FROM usage_hours
           WHERE tenant_id = $1 AND hour >= $2"#,
        id,
        month
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(TenantLimits { plan, used })
}
