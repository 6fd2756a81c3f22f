//! `GET /v1/tenants/{tenant_id}/sites/{site_id}/consumers/{consumer_id}`.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use store::consumer;

use super::model::Consumer;
use crate::app::App;
use crate::forms::ids::ConsumerPath;
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::IdPath;
use crate::http::problem::Problem;

/// Gets a consumer.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/sites/{site_id}/consumers/{consumer_id}",
    operation_id = "getConsumer", tag = "Consumers", params(ConsumerPath),
    responses((status = 200, description = "The consumer.", body = Consumer)))]
pub(super) async fn get(
    State(app): State<App>,
    IdPath(at): IdPath<ConsumerPath>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
    let consumer = Consumer::from(consumer::get(&mut tx, at.site_id, at.consumer_id).await?);
    Ok(Answer::object(&consumer)?.unless_known(&headers))
}
