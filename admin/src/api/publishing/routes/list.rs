//! `GET /v1/tenants/{tenant_id}/sites/{site_id}/apis/{api_id}/versions/{version_id}/routes`.

use axum::extract::State;
use axum::http::StatusCode;
use store::route;

use super::model::Route;
use crate::app::App;
use crate::forms::ids::VersionPath;
use crate::forms::page::{Page, PageQuery};
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::{IdPath, StrictQuery};
use crate::http::problem::Problem;

/// Lists the routes.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant_id}/sites/{site_id}/apis/{api_id}/versions/{version_id}/routes",
    operation_id = "listRoutes",
    tag = "Routes",
    params(VersionPath, PageQuery),
    responses((status = 200, description = "A page of routes.", body = Page<Route>)),
)]
pub(super) async fn list(
    State(app): State<App>,
    IdPath(at): IdPath<VersionPath>,
    StrictQuery(query): StrictQuery<PageQuery>,
    caller: Caller,
) -> Result<Answer, Problem> {
    let wanted = query.wanted()?;
    let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
    let rows = route::list(&mut tx, at.version(), wanted.rows()).await?;
    let page: Page<Route> = wanted.page(rows, |row| row.id.into());
    Answer::json(StatusCode::OK, &page)
}
