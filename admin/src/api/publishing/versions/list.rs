//! `GET /v1/tenants/{tenant_id}/sites/{site_id}/apis/{api_id}/versions`.

use axum::extract::State;
use axum::http::StatusCode;
use store::version;

use super::model::Version;
use crate::app::App;
use crate::forms::ids::ApiPath;
use crate::forms::page::{Page, PageQuery};
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::{IdPath, StrictQuery};
use crate::http::problem::Problem;

/// Lists the versions.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/sites/{site_id}/apis/{api_id}/versions",
    operation_id = "listVersions", tag = "Versions", params(ApiPath, PageQuery),
    responses((status = 200, description = "A page of versions.", body = Page<Version>)))]
pub(super) async fn list(
    State(app): State<App>,
    IdPath(at): IdPath<ApiPath>,
    StrictQuery(query): StrictQuery<PageQuery>,
    caller: Caller,
) -> Result<Answer, Problem> {
    let wanted = query.wanted()?;
    let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
    let rows = version::list(&mut tx, at.site_id, at.api_id, wanted.rows()).await?;
    let page: Page<Version> = wanted.page(rows, |row| row.id.into());
    Answer::json(StatusCode::OK, &page)
}
