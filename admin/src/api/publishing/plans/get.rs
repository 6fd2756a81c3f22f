//! `GET /v1/tenants/{tenant_id}/sites/{site_id}/plans/{plan_id}`.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use store::plan;

use super::model::Plan;
use crate::app::App;
use crate::forms::ids::PlanPath;
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::IdPath;
use crate::http::problem::Problem;

/// Gets a plan.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/sites/{site_id}/plans/{plan_id}",
    operation_id = "getPlan", tag = "Plans", params(PlanPath),
    responses((status = 200, description = "The plan.", body = Plan)))]
pub(super) async fn get(
    State(app): State<App>,
    IdPath(at): IdPath<PlanPath>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
    let plan = Plan::from(plan::get(&mut tx, at.site_id, at.plan_id).await?);
    Ok(Answer::object(&plan)?.unless_known(&headers))
}
