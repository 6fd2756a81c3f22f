//! `GET /v1/tenants/{tenant_id}/sites/{site_id}/plans`.

use axum::extract::State;
use axum::http::StatusCode;
use store::plan;

use super::model::Plan;
use crate::app::App;
use crate::forms::ids::SitePath;
use crate::forms::page::{Page, PageQuery};
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::{IdPath, StrictQuery};
use crate::http::problem::Problem;

/// Lists the plans of a site.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/sites/{site_id}/plans",
    operation_id = "listPlans", tag = "Plans", params(SitePath, PageQuery),
    responses((status = 200, description = "A page of plans.", body = Page<Plan>)))]
pub(super) async fn list(
    State(app): State<App>,
    IdPath(at): IdPath<SitePath>,
    StrictQuery(query): StrictQuery<PageQuery>,
    caller: Caller,
) -> Result<Answer, Problem> {
    let wanted = query.wanted()?;
    let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
    let rows = plan::list(&mut tx, at.site_id, wanted.rows()).await?;
    let page: Page<Plan> = wanted.page(rows, |row| row.id.into());
    Answer::json(StatusCode::OK, &page)
}
