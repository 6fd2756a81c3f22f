//! `GET /v1/tenants`.

use axum::extract::State;
use axum::http::StatusCode;
use store::tenant;

use super::model::Tenant;
use crate::app::App;
use crate::forms::page::{Page, PageQuery};
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::StrictQuery;
use crate::http::problem::Problem;

/// Lists the tenants.
#[utoipa::path(
    get,
    path = "/v1/tenants",
    operation_id = "listTenants",
    tag = "Tenants",
    params(PageQuery),
    responses((status = 200, description = "A page of tenants.", body = Page<Tenant>)),
)]
pub(super) async fn list(
    State(app): State<App>,
    StrictQuery(query): StrictQuery<PageQuery>,
    caller: Caller,
) -> Result<Answer, Problem> {
    let wanted = query.wanted()?;
    let mut tx = app.store.platform(&caller.actor()).await?;
    let rows = tenant::list(&mut tx, wanted.rows()).await?;
    let page: Page<Tenant> = wanted.page(rows, |row| row.id.into());
    Answer::json(StatusCode::OK, &page)
}
