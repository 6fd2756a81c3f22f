//! What a tenant may have, and what it has. The database counts, and refuses what goes beyond
//! (`migrations/0022_platform_plans.sql`).

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::base::error::StoreError;
use crate::base::tx::TenantTx;
use crate::platform::platform_plan::{PlatformPlan, Record};
use crate::tenancy::tenant;

/// What a tenant has of what its plan limits.
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
    /// Requests of the month so far, as far as they have been reported; those that were refused are
    /// among them.
    pub requests: i64,
}

/// The plan of a tenant, and what the tenant has.
#[derive(Clone, Debug)]
pub struct TenantLimits {
    /// Its plan.
    pub plan: PlatformPlan,
    /// What it has.
    pub used: Used,
}

/// Reads the plan of the tenant, and what it has. Its requests are those since `month`.
pub async fn of_tenant(
    tx: &mut TenantTx,
    month: DateTime<Utc>,
) -> Result<TenantLimits, StoreError> {
    tenant::require(tx).await?;
    let id = Uuid::from(tx.tenant());
    let plan = sqlx::query_as!(
        Record,
        "SELECT p.id, p.name, p.is_default, p.sites, p.routes, p.keys, p.members, p.config_bytes, p.requests_per_second,
                p.requests_per_month, p.revision, p.created_at, p.updated_at
         FROM tenants t JOIN platform_plans p ON p.id = t.platform_plan_id WHERE t.id = $1",
        id
    )
    .fetch_one(tx.conn())
    .await?;
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
    // Those are taken out of the total when somebody needs their place.
    used.keys -= sqlx::query_scalar!(
        r#"SELECT (SELECT count(*) FROM api_keys
                   WHERE tenant_id = $1 AND expires_at <= now() AND revoked_at IS NULL AND NOT ended)
                + (SELECT count(*) FROM signing_keys
                   WHERE tenant_id = $1 AND expires_at <= now() AND revoked_at IS NULL AND NOT ended) AS "expired!""#,
        id
    )
    .fetch_one(tx.conn())
    .await?;
    used.requests = sqlx::query_scalar!(
        r#"SELECT coalesce(sum(requests), 0)::bigint AS "requests!" FROM usage_hours WHERE tenant_id = $1 AND hour >= $2"#,
        id,
        month
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(TenantLimits { plan: plan.into(), used })
}
