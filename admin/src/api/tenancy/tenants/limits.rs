//! `GET /v1/tenants/{tenant_id}/limits`.

use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Datelike as _, TimeZone as _, Utc};
use serde::Serialize;
use store::platform_plan::{self, TenantLimits as Row};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::forms::ids::TenantPath;
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::IdPath;
use crate::http::problem::Problem;

/// The allowance of a tenant, and its use.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TenantLimits {
    /// Its platform plan.
    platform_plan: PlanName,
    /// Sites.
    sites: Measured,
    /// Routes in all its sites.
    routes: Measured,
    /// API keys and signing keys in all its sites that are neither revoked, expired nor replaced by
    /// a rotation.
    keys: Measured,
    /// Members.
    members: Measured,
    /// The bytes of stored configuration: names, hostnames, addresses, paths and settings (as
    /// JSON), in UTF-8.
    config_bytes: Measured,
    /// Requests of this month of the calendar in UTC. `used` counts the requests that gateways have
    /// reported, refused ones included; the limit counts those that were let through, in each
    /// Envoy.
    requests_per_month: Measured,
    /// Requests a second in each Envoy; null for no limit.
    #[schema(required = true)]
    requests_per_second: Option<i32>,
}

/// A platform plan, as tenants know it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PlanName {
    id: Uuid,
    /// Its name.
    #[schema(example = "Business")]
    name: String,
}

/// A limit, and its use.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Measured {
    /// The allowance; null: as much as the general bounds allow.
    #[schema(required = true)]
    limit: Option<i64>,
    /// The use. It exceeds the limit after that was lowered: then nothing is added until it is
    /// below.
    #[schema(minimum = 0)]
    used: i64,
}

impl From<Row> for TenantLimits {
    fn from(row: Row) -> Self {
        let (limits, used) = (row.plan.limits, row.used);
        let measured = |limit, used| Measured { limit, used };
        Self {
            platform_plan: PlanName { id: row.plan.id, name: row.plan.name },
            sites: measured(limits.sites, used.sites),
            routes: measured(limits.routes, used.routes),
            keys: measured(limits.keys, used.keys),
            members: measured(limits.members, used.members),
            config_bytes: measured(limits.config_bytes, used.config_bytes),
            requests_per_month: measured(limits.requests_per_month, used.requests),
            requests_per_second: limits.requests_per_second,
        }
    }
}

/// The beginning of the month in UTC.
fn month_of(now: DateTime<Utc>) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(now.year(), now.month(), 1, 0, 0, 0).single().unwrap_or(now)
}

/// Gets the allowance of a tenant by its platform plan, and its use.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant_id}/limits",
    operation_id = "getTenantLimits",
    tag = "Tenants",
    params(TenantPath),
    responses((status = 200, description = "The limits.", body = TenantLimits)),
)]
pub(super) async fn get(
    State(app): State<App>,
    IdPath(at): IdPath<TenantPath>,
    caller: Caller,
) -> Result<Answer, Problem> {
    let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
    let limits = platform_plan::of_tenant(&mut tx, month_of((app.clock)())).await?;
    Answer::json(StatusCode::OK, &TenantLimits::from(limits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_begins_on_its_first_day() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        assert_eq!(month_of(at("2026-02-28T23:59:59Z")), at("2026-02-01T00:00:00Z"));
        assert_eq!(month_of(at("2026-12-01T00:00:00Z")), at("2026-12-01T00:00:00Z"));
    }
}
