//! `PATCH /v1/tenants/{tenant_id}/sites/{site_id}/consumers/{consumer_id}`.

use axum::extract::State;
use store::consumer;

use super::model::{Consumer, ConsumerChanges};
use crate::app::App;
use crate::forms::ids::ConsumerPath;
use crate::http::answer::Answer;
use crate::http::extract::{IdPath, PatchBody};
use crate::http::problem::Problem;

/// Changes a consumer.
#[utoipa::path(patch, path = "/v1/tenants/{tenant_id}/sites/{site_id}/consumers/{consumer_id}",
    operation_id = "updateConsumer", tag = "Consumers", params(ConsumerPath),
    request_body = ConsumerChanges,
    responses((status = 200, description = "The consumer as it is now.", body = Consumer)))]
pub(super) async fn update(
    State(app): State<App>,
    IdPath(at): IdPath<ConsumerPath>,
    patch: PatchBody<ConsumerChanges>,
) -> Result<Answer, Problem> {
    let changes = patch.body.checked()?;
    let mut tx = app.store.tenant(at.tenant_id, &patch.caller.actor()).await?;
    let consumer = Consumer::from(
        consumer::update(&mut tx, at.site_id, at.consumer_id, changes, patch.expected.0).await?,
    );
    tx.commit().await?;
    Answer::object(&consumer)
}
