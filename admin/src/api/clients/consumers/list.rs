//! `GET /v1/tenants/{tenant_id}/sites/{site_id}/consumers`.

use axum::extract::State;
use axum::http::StatusCode;
use store::consumer;

use super::model::Consumer;
use crate::app::App;
use crate::forms::ids::SitePath;
use crate::forms::page::{Page, PageQuery};
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::{IdPath, StrictQuery};
use crate::http::problem::Problem;

/// Lists the consumers.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/sites/{site_id}/consumers",
    operation_id = "listConsumers", tag = "Consumers", params(SitePath, PageQuery),
    responses((status = 200, description = "A page of consumers.", body = Page<Consumer>)))]
pub(super) async fn list(
    State(app): State<App>,
    IdPath(at): IdPath<SitePath>,
    StrictQuery(query): StrictQuery<PageQuery>,
    caller: Caller,
) -> Result<Answer, Problem> {
    let wanted = query.wanted()?;
    let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
    let rows = consumer::list(&mut tx, at.site_id, wanted.rows()).await?;
    let page: Page<Consumer> = wanted.page(rows, |row| row.id.into());
    Answer::json(StatusCode::OK, &page)
}
