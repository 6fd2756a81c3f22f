//! `GET /v1/platform-plans`.

use axum::extract::State;
use axum::http::StatusCode;
use store::platform_plan;

use super::model::PlatformPlan;
use crate::app::App;
use crate::forms::page::{Page, PageQuery};
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::StrictQuery;
use crate::http::problem::Problem;

/// Lists the platform plans.
#[utoipa::path(
    get,
    path = "/v1/platform-plans",
    operation_id = "listPlatformPlans",
    tag = "Platform plans",
    params(PageQuery),
    responses((status = 200, description = "A page of plans.", body = Page<PlatformPlan>)),
)]
pub(super) async fn list(
    State(app): State<App>,
    StrictQuery(query): StrictQuery<PageQuery>,
    caller: Caller,
) -> Result<Answer, Problem> {
    let wanted = query.wanted()?;
    let mut tx = app.store.platform(&caller.actor()).await?;
    let rows = platform_plan::list(&mut tx, wanted.rows()).await?;
    let page: Page<PlatformPlan> = wanted.page(rows, |row| row.id);
    Answer::json(StatusCode::OK, &page)
}
