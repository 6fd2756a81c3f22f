//! `PATCH /v1/tenants/{tenant_id}/status`.

use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use store::tenant::{self, Course};
use utoipa::ToSchema;

use super::model::Tenant;
use crate::app::App;
use crate::forms::check::Check;
use crate::forms::ids::TenantPath;
use crate::http::answer::Answer;
use crate::http::extract::{IdPath, PatchBody};
use crate::http::problem::Problem;

/// The least time until a tenant that is served again closes, so that its members see it and may
/// keep it.
const LEAST_GRACE: TimeDelta = TimeDelta::days(1);

/// The wanted state of a tenant.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Wanted {
    Active,
    Suspended,
}

/// A change of a tenant's state.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StatusChange {
    /// The state to set.
    status: Wanted,
    /// The reason that its members see; it is needed to suspend.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200, example = "The invoice of May is open.")]
    reason: Option<String>,
}

impl StatusChange {
    fn checked(self, now: DateTime<Utc>) -> Result<Course, Problem> {
        let mut check = Check::new();
        let course = match (self.status, self.reason) {
            (Wanted::Suspended, Some(reason)) => {
                check.name("reason", &reason);
                Course::Suspend { reason }
            }
            (Wanted::Suspended, None) => {
                check.refuse("reason", "is missing");
                Course::Keep
            }
            (Wanted::Active, reason) => {
                if reason.is_some() {
                    check.refuse("reason", "is only for a suspension");
                }
                Course::Serve { earliest: now + LEAST_GRACE }
            }
        };
        check.finish()?;
        Ok(course)
    }
}

/// Suspends a tenant, or serves it again.
///
/// The traffic of a suspended tenant is refused by every gateway with 403, and its members may read
/// everything and change nothing. Nothing of it is lost, not even if it was closing: it closes
/// again once it is served, on the day that was set, or a day later if that has passed. A closing
/// is neither begun nor ended by this.
#[utoipa::path(patch, path = "/v1/tenants/{tenant_id}/status",
    operation_id = "updateTenantStatus", tag = "Tenants", params(TenantPath),
    request_body(content = StatusChange, examples(
        ("active" = (summary = "Serve it again", value = json!({"status": "active"}))))),
    responses((status = 200, description = "The tenant as it is now.", body = Tenant)))]
pub(super) async fn update(
    State(app): State<App>,
    IdPath(at): IdPath<TenantPath>,
    patch: PatchBody<StatusChange>,
) -> Result<Answer, Problem> {
    let course = patch.body.checked((app.clock)())?;
    let mut tx = app.store.platform(&patch.caller.actor()).await?;
    let tenant =
        Tenant::from(tenant::set_course(&mut tx, at.tenant_id, course, patch.expected.0).await?);
    tx.commit().await?;
    Answer::object(&tenant)
}
