//! `GET /v1/tenants/{tenant_id}/sites/{site_id}/consumers/{consumer_id}/keys/{key_id}`.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use store::key;

use super::model::Key;
use crate::app::App;
use crate::forms::ids::KeyPath;
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::IdPath;
use crate::http::problem::Problem;

/// Gets an API key, without its text.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant_id}/sites/{site_id}/consumers/{consumer_id}/keys/{key_id}",
    operation_id = "getKey",
    tag = "Keys",
    params(KeyPath),
    responses((status = 200, description = "The key.", body = Key)),
)]
pub(super) async fn get(
    State(app): State<App>,
    IdPath(at): IdPath<KeyPath>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
    let key = Key::from(key::get(&mut tx, at.site_id, at.consumer_id, at.key_id).await?);
    Ok(Answer::object(&key)?.unless_known(&headers))
}
