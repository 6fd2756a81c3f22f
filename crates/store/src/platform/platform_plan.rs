//! Platform plans: the limits of tenants. Platform work; a tenant reads its own.

use chrono::{DateTime, Utc};
use policy::id::TenantId;
use policy::settings::PlatformRequests;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::base::audit::{Audited, Entry};
use crate::base::error::StoreError;
use crate::base::id::new_id;
use crate::base::mark;
use crate::base::page::Page;
use crate::base::queries::rows;
use crate::base::tx::{PlatformTx, TenantTx};

pub use crate::base::plan_limit::PlanLimit;

/// The most platform plans: they are chosen from a list.
pub const MAX_PLANS: u32 = 1_000;

/// The limits of a plan; `None` where only the general bounds hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Sites of the tenant.
    pub sites: Option<i64>,
    /// Routes in all its sites.
    pub routes: Option<i64>,
    /// API keys and signing keys in all its sites that are neither revoked, replaced nor expired.
    pub keys: Option<i64>,
    /// Members, one at least.
    pub members: Option<i64>,
    /// The bytes of its configuration: names, hostnames, addresses, paths and settings (as JSON).
    pub config_bytes: Option<i64>,
    /// Requests in each second, 1 to 100,000,000.
    pub requests_per_second: Option<i32>,
    /// Requests in each month of UTC, 1 to 10^15.
    pub requests_per_month: Option<i64>,
}

impl Limits {
    /// Returns the limits that Envoys keep.
    pub(crate) fn requests(&self) -> PlatformRequests {
        requests(self.requests_per_second, self.requests_per_month)
    }
}

/// Makes the limits that Envoys keep of the columns.
pub(crate) fn requests(per_second: Option<i32>, per_month: Option<i64>) -> PlatformRequests {
    PlatformRequests {
        per_second: per_second.map(i32::unsigned_abs),
        per_month: per_month.map(i64::unsigned_abs),
    }
}

/// A platform plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformPlan {
    /// The plan's id.
    pub id: Uuid,
    /// A name for people, unique on the platform, 1 to 200 characters.
    pub name: String,
    /// True for the plan of tenants without a choice of their own.
    pub is_default: bool,
    /// Its limits.
    pub limits: Limits,
    /// The number of changes, from 1.
    pub revision: i64,
    /// The time of its creation.
    pub created_at: DateTime<Utc>,
    /// The time of the last change.
    pub updated_at: DateTime<Utc>,
}

/// A change of a plan; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct PlatformPlanPatch {
    /// See [`PlatformPlan::name`].
    pub name: Option<String>,
    /// See [`PlatformPlan::limits`]; they are replaced as a whole.
    pub limits: Option<Limits>,
}

rows! { ($) plan_rows =
    "id, name, is_default, sites, routes, keys, members, config_bytes, requests_per_second,
     requests_per_month, revision, created_at, updated_at"
    => |row| PlatformPlan {
        id: row.id,
        name: row.name,
        is_default: row.is_default,
        limits: Limits {
            sites: row.sites,
            routes: row.routes,
            keys: row.keys,
            members: row.members,
            config_bytes: row.config_bytes,
            requests_per_second: row.requests_per_second,
            requests_per_month: row.requests_per_month,
        },
        revision: row.revision,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

impl Audited for PlatformPlan {
    fn form(&self) -> Value {
        json!({
            "name": self.name,
            "is_default": self.is_default,
            "limits": self.limits,
            "revision": self.revision,
        })
    }
}

const NOT_FOUND: StoreError = StoreError::NotFound { what: "platform plan" };

/// Reads a page of all plans.
pub async fn list(tx: &mut PlatformTx, page: Page) -> Result<Vec<PlatformPlan>, StoreError> {
    Ok(plan_rows!(
        "SELECT", "FROM platform_plans WHERE id > $1 ORDER BY id LIMIT $2";
        page.after(),
        page.limit()
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Reads a plan.
pub async fn get(tx: &mut PlatformTx, id: Uuid) -> Result<PlatformPlan, StoreError> {
    plan_rows!("SELECT", "FROM platform_plans WHERE id = $1"; id)
        .fetch_optional(tx.conn())
        .await?
        .ok_or(NOT_FOUND)
}

/// Reads the plan of the transaction's tenant, which exists.
pub(crate) async fn plan_of_tenant(tx: &mut TenantTx) -> Result<PlatformPlan, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    Ok(plan_rows!(
        "SELECT",
        "FROM platform_plans WHERE id = (SELECT platform_plan_id FROM tenants t WHERE t.id = $1)";
        tenant
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Makes a plan, which no tenant has yet.
pub async fn create(
    tx: &mut PlatformTx,
    name: &str,
    limits: Limits,
) -> Result<PlatformPlan, StoreError> {
    let count = sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM platform_plans"#)
        .fetch_one(tx.conn())
        .await?;
    StoreError::at_limit(count, "platform plans", MAX_PLANS)?;
    let id = new_id();
    let plan = plan_rows!(
        "INSERT INTO platform_plans
             (id, name, sites, routes, keys, members, config_bytes, requests_per_second,
              requests_per_month)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING";
        id,
        name,
        limits.sites,
        limits.routes,
        limits.keys,
        limits.members,
        limits.config_bytes,
        limits.requests_per_second,
        limits.requests_per_month
    )
    .fetch_one(tx.conn())
    .await
    .map_err(|error| StoreError::unique(error, &[("platform_plans_name_key", "name", name)]))?;
    tx.core.record(PlatformTx::PLATFORM, Entry::created("platform_plan.create", id, &plan));
    Ok(plan)
}

/// Changes a plan, for all its tenants. A tenant keeps what it has beyond a limit, and gets no more
/// of it.
pub async fn update(
    tx: &mut PlatformTx,
    id: Uuid,
    patch: impl FnOnce(&PlatformPlan) -> PlatformPlanPatch,
    expected_revision: Option<i64>,
) -> Result<PlatformPlan, StoreError> {
    let before = lock(tx, id, expected_revision).await?;
    let patch = patch(&before);
    let name = patch.name.unwrap_or_else(|| before.name.clone());
    let limits = patch.limits.unwrap_or(before.limits);
    let after = plan_rows!(
        "UPDATE platform_plans SET name = $2, sites = $3, routes = $4, keys = $5, members = $6,
                config_bytes = $7, requests_per_second = $8, requests_per_month = $9,
                revision = revision + 1, updated_at = now()
         WHERE id = $1 RETURNING";
        id,
        name,
        limits.sites,
        limits.routes,
        limits.keys,
        limits.members,
        limits.config_bytes,
        limits.requests_per_second,
        limits.requests_per_month
    )
    .fetch_one(tx.conn())
    .await
    .map_err(|error| StoreError::unique(error, &[("platform_plans_name_key", "name", &name)]))?;
    if after.limits.requests() != before.limits.requests() {
        // The move of a tenant to this plan holds the plan, so none is missing.
        let tenants = sqlx::query_scalar!(
            "SELECT id FROM tenants WHERE platform_plan_id = $1 ORDER BY id",
            id
        )
        .fetch_all(tx.conn())
        .await?;
        for tenant in tenants {
            mark::sites_of_tenant(tx, TenantId(tenant)).await?;
        }
    }
    tx.core
        .record(PlatformTx::PLATFORM, Entry::updated("platform_plan.update", id, &before, &after));
    Ok(after)
}

/// Removes a plan that no tenant has.
///
/// # Errors
/// [`StoreError::InUse`] while tenants have it; the default plan is always in use, by tenants to
/// come.
pub async fn delete(
    tx: &mut PlatformTx,
    id: Uuid,
    expected_revision: Option<i64>,
) -> Result<(), StoreError> {
    let plan = lock(tx, id, expected_revision).await?;
    let used = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM tenants WHERE platform_plan_id = $1) AS "used!""#,
        id
    )
    .fetch_one(tx.conn())
    .await?;
    if used || plan.is_default {
        return Err(StoreError::InUse { what: "platform plan", by: "tenant" });
    }
    sqlx::query!("DELETE FROM platform_plans WHERE id = $1", id).execute(tx.conn()).await?;
    tx.core.record(PlatformTx::PLATFORM, Entry::deleted("platform_plan.delete", id, &plan));
    Ok(())
}

/// Reads a plan, and lets nobody change or remove it until the end of the transaction.
///
/// # Errors
/// [`StoreError::Invalid`] on `platform_plan_id` if there is none.
pub(crate) async fn hold(tx: &mut PlatformTx, id: Uuid) -> Result<PlatformPlan, StoreError> {
    plan_rows!("SELECT", "FROM platform_plans WHERE id = $1 FOR SHARE"; id)
        .fetch_optional(tx.conn())
        .await?
        .ok_or_else(|| StoreError::Invalid {
            field: "platform_plan_id",
            reason: "there is no such platform plan; make it first".to_owned(),
        })
}

async fn lock(
    tx: &mut PlatformTx,
    id: Uuid,
    expected_revision: Option<i64>,
) -> Result<PlatformPlan, StoreError> {
    let plan = plan_rows!("SELECT", "FROM platform_plans WHERE id = $1 FOR UPDATE"; id)
        .fetch_optional(tx.conn())
        .await?
        .ok_or(NOT_FOUND)?;
    StoreError::unless_expected(plan.revision, expected_revision)?;
    Ok(plan)
}
