//! `GET /v1/tenants/{tenant_id}/sites/{site_id}/consumers/{consumer_id}/keys`.

use axum::extract::State;
use axum::http::StatusCode;
use store::key;

use super::model::Key;
use crate::app::App;
use crate::forms::ids::ConsumerPath;
use crate::forms::page::{Page, PageQuery};
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::{IdPath, StrictQuery};
use crate::http::problem::Problem;

/// Lists the keys of a consumer, revoked and expired ones included, without their texts.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant_id}/sites/{site_id}/consumers/{consumer_id}/keys",
    operation_id = "listKeys",
    tag = "Keys",
    params(ConsumerPath, PageQuery),
    responses((status = 200, description = "A page of keys.", body = Page<Key>)),
)]
pub(super) async fn list(
    State(app): State<App>,
    IdPath(at): IdPath<ConsumerPath>,
    StrictQuery(query): StrictQuery<PageQuery>,
    caller: Caller,
) -> Result<Answer, Problem> {
    let wanted = query.wanted()?;
    let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
    let rows = key::list(&mut tx, at.site_id, at.consumer_id, wanted.rows()).await?;
    let page: Page<Key> = wanted.page(rows, |row| row.id.into());
    Answer::json(StatusCode::OK, &page)
}
