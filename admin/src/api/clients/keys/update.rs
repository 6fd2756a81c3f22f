//! `PATCH /v1/tenants/{tenant_id}/sites/{site_id}/consumers/{consumer_id}/keys/{key_id}`.

use axum::extract::State;
use store::key;

use super::model::{Key, KeyChanges};
use crate::app::App;
use crate::forms::ids::KeyPath;
use crate::http::answer::Answer;
use crate::http::extract::{IdPath, PatchBody};
use crate::http::problem::Problem;

/// Changes the name or the settings of an API key.
///
/// Its text and its expiry stay as they are: rotate or revoke it to change those.
#[utoipa::path(
    patch,
    path = "/v1/tenants/{tenant_id}/sites/{site_id}/consumers/{consumer_id}/keys/{key_id}",
    operation_id = "updateKey",
    tag = "Keys",
    params(KeyPath),
    request_body = KeyChanges,
    responses((status = 200, description = "The key as it is now.", body = Key)),
)]
pub(super) async fn update(
    State(app): State<App>,
    IdPath(at): IdPath<KeyPath>,
    patch: PatchBody<KeyChanges>,
) -> Result<Answer, Problem> {
    let changes = patch.body.checked()?;
    let mut tx = app.store.tenant(at.tenant_id, &patch.caller.actor()).await?;
    let key =
        key::update(&mut tx, at.site_id, at.consumer_id, at.key_id, changes, patch.expected.0)
            .await?;
    tx.commit().await?;
    Answer::object(&Key::from(key))
}
