//! `DELETE /v1/platform-plans/{platform_plan_id}`.

use axum::extract::State;
use axum::response::Response;
use store::platform_plan;

use crate::app::App;
use crate::forms::ids::PlatformPlanPath;
use crate::http::answer::no_content;
use crate::http::caller::Caller;
use crate::http::extract::{Expected, IdPath};
use crate::http::problem::Problem;

/// Removes a platform plan that no tenant has.
///
/// The default plan is for the tenants to come, and stays.
#[utoipa::path(
    delete,
    path = "/v1/platform-plans/{platform_plan_id}",
    operation_id = "deletePlatformPlan",
    tag = "Platform plans",
    params(PlatformPlanPath),
    responses((status = 204, description = "It is gone.")),
)]
pub(super) async fn delete(
    State(app): State<App>,
    IdPath(at): IdPath<PlatformPlanPath>,
    caller: Caller,
    expected: Expected,
) -> Result<Response, Problem> {
    let mut tx = app.store.platform(&caller.actor()).await?;
    platform_plan::delete(&mut tx, at.platform_plan_id, expected.0).await?;
    tx.commit().await?;
    Ok(no_content())
}
