//! `PATCH /v1/tenants/{tenant_id}/sites/{site_id}/plans/{plan_id}`.

use axum::extract::State;
use store::plan;

use super::model::{Plan, PlanChanges};
use crate::app::App;
use crate::forms::ids::PlanPath;
use crate::http::answer::Answer;
use crate::http::extract::{IdPath, PatchBody};
use crate::http::problem::Problem;

/// Changes a plan, for all its consumers at once.
#[utoipa::path(patch, path = "/v1/tenants/{tenant_id}/sites/{site_id}/plans/{plan_id}",
    operation_id = "updatePlan", tag = "Plans", params(PlanPath),
    request_body = PlanChanges,
    responses((status = 200, description = "The plan as it is now.", body = Plan)))]
pub(super) async fn update(
    State(app): State<App>,
    IdPath(at): IdPath<PlanPath>,
    patch: PatchBody<PlanChanges>,
) -> Result<Answer, Problem> {
    let changes = patch.body.checked()?;
    let mut tx = app.store.tenant(at.tenant_id, &patch.caller.actor()).await?;
    let plan =
        Plan::from(plan::update(&mut tx, at.site_id, at.plan_id, changes, patch.expected.0).await?);
    tx.commit().await?;
    Answer::object(&plan)
}
