//! `GET /v1/tenants/{tenant_id}/sites/{site_id}/consumers/{consumer_id}/signing-keys`.

use axum::extract::State;
use axum::http::StatusCode;
use store::signing_key;

use super::model::SigningKey;
use crate::app::App;
use crate::forms::ids::ConsumerPath;
use crate::forms::page::{Page, PageQuery};
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::{IdPath, StrictQuery};
use crate::http::problem::Problem;

/// Lists the signing keys of a consumer, revoked and expired ones included, without their secrets.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant_id}/sites/{site_id}/consumers/{consumer_id}/signing-keys",
    operation_id = "listSigningKeys",
    tag = "Signing keys",
    params(ConsumerPath, PageQuery),
    responses((status = 200, description = "A page of keys.", body = Page<SigningKey>)),
)]
pub(super) async fn list(
    State(app): State<App>,
    IdPath(at): IdPath<ConsumerPath>,
    StrictQuery(query): StrictQuery<PageQuery>,
    caller: Caller,
) -> Result<Answer, Problem> {
    let wanted = query.wanted()?;
    let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
    let rows = signing_key::list(&mut tx, at.site_id, at.consumer_id, wanted.rows()).await?;
    let page: Page<SigningKey> = wanted.page(rows, |row| row.id.into());
    Answer::json(StatusCode::OK, &page)
}
