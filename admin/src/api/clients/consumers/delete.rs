//! `DELETE /v1/tenants/{tenant_id}/sites/{site_id}/consumers/{consumer_id}`.

use axum::extract::State;
use axum::response::Response;
use store::consumer;

use crate::app::App;
use crate::forms::ids::ConsumerPath;
use crate::http::answer::no_content;
use crate::http::caller::Caller;
use crate::http::extract::{Expected, IdPath};
use crate::http::problem::Problem;

/// Removes a consumer with its keys, which end at once.
#[utoipa::path(delete, path = "/v1/tenants/{tenant_id}/sites/{site_id}/consumers/{consumer_id}",
    operation_id = "deleteConsumer", tag = "Consumers", params(ConsumerPath),
    responses((status = 204, description = "It is gone.")))]
pub(super) async fn delete(
    State(app): State<App>,
    IdPath(at): IdPath<ConsumerPath>,
    caller: Caller,
    expected: Expected,
) -> Result<Response, Problem> {
    let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
    consumer::delete(&mut tx, at.site_id, at.consumer_id, expected.0).await?;
    tx.commit().await?;
    Ok(no_content())
}
