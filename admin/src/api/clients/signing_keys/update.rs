//! `PATCH /v1/tenants/{tenant_id}/sites/{site_id}/consumers/{consumer_id}/signing-keys/{signing_key_id}`.

use axum::extract::State;
use store::signing_key;

use super::model::{SigningKey, SigningKeyChanges};
use crate::app::App;
use crate::forms::ids::SigningKeyPath;
use crate::http::answer::Answer;
use crate::http::extract::{IdPath, PatchBody};
use crate::http::problem::Problem;

/// Changes the name or the settings of a signing key.
///
/// The key itself stays the same: to replace it, make another one, and revoke this one once it is
/// no longer used.
#[utoipa::path(
    patch,
    path = "/v1/tenants/{tenant_id}/sites/{site_id}/consumers/{consumer_id}/signing-keys/{signing_key_id}",
    operation_id = "updateSigningKey",
    tag = "Signing keys",
    params(SigningKeyPath),
    request_body = SigningKeyChanges,
    responses((status = 200, description = "The key as it is now.", body = SigningKey)),
)]
pub(super) async fn update(
    State(app): State<App>,
    IdPath(at): IdPath<SigningKeyPath>,
    patch: PatchBody<SigningKeyChanges>,
) -> Result<Answer, Problem> {
    let changes = patch.body.checked()?;
    let mut tx = app.store.tenant(at.tenant_id, &patch.caller.actor()).await?;
    let key = signing_key::update(
        &mut tx,
        at.site_id,
        at.consumer_id,
        at.signing_key_id,
        changes,
        patch.expected.0,
    )
    .await?;
    tx.commit().await?;
    Answer::object(&SigningKey::from(key))
}
