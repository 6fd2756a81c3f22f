//! `GET /v1/platform-plans/{platform_plan_id}`.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use store::platform_plan;

use super::model::PlatformPlan;
use crate::app::App;
use crate::forms::ids::PlatformPlanPath;
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::IdPath;
use crate::http::problem::Problem;

/// Gets a platform plan.
#[utoipa::path(
    get,
    path = "/v1/platform-plans/{platform_plan_id}",
    operation_id = "getPlatformPlan",
    tag = "Platform plans",
    params(PlatformPlanPath),
    responses((status = 200, description = "The plan.", body = PlatformPlan)),
)]
pub(super) async fn get(
    State(app): State<App>,
    IdPath(at): IdPath<PlatformPlanPath>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut tx = app.store.platform(&caller.actor()).await?;
    let plan = PlatformPlan::from(platform_plan::get(&mut tx, at.platform_plan_id).await?);
    Ok(Answer::object(&plan)?.unless_known(&headers))
}
