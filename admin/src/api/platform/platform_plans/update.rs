//! `PATCH /v1/platform-plans/{platform_plan_id}`.

use axum::extract::State;
use store::platform_plan::{self, PlatformPlanPatch};

use super::model::{PlatformPlan, PlatformPlanChanges};
use crate::app::App;
use crate::forms::ids::PlatformPlanPath;
use crate::http::answer::Answer;
use crate::http::extract::{IdPath, PatchBody};
use crate::http::problem::Problem;

/// Changes a platform plan, for all tenants that have it.
///
/// A tenant that exceeds a lowered limit keeps its objects, and gets no more of them.
#[utoipa::path(
    patch,
    path = "/v1/platform-plans/{platform_plan_id}",
    operation_id = "updatePlatformPlan",
    tag = "Platform plans",
    params(PlatformPlanPath),
    request_body(
        content = PlatformPlanChanges,
        examples(
            ("requests" = (
                summary = "More requests, and keys without a limit",
                value = json!({"limits": {"requests_per_month": 20000000, "keys": null}}),
            )),
        ),
    ),
    responses((status = 200, description = "The plan as it is now.", body = PlatformPlan)),
)]
pub(super) async fn update(
    State(app): State<App>,
    IdPath(at): IdPath<PlatformPlanPath>,
    patch: PatchBody<PlatformPlanChanges>,
) -> Result<Answer, Problem> {
    patch.body.checked()?;
    let mut tx = app.store.platform(&patch.caller.actor()).await?;
    let changes = patch.body;
    let patched = |before: &platform_plan::PlatformPlan| PlatformPlanPatch {
        name: changes.name,
        limits: changes.limits.map(|limits| limits.applied_to(before.limits)),
    };
    let plan =
        platform_plan::update(&mut tx, at.platform_plan_id, patched, patch.expected.0).await?;
    tx.commit().await?;
    Answer::object(&PlatformPlan::from(plan))
}
