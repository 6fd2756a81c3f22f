//! `PATCH /v1/tenants/{tenant_id}/service-tokens/{service_token_id}`.

use axum::extract::State;
use store::service_token;

use super::model::{ServiceToken, ServiceTokenChanges};
use crate::app::App;
use crate::forms::ids::ServiceTokenPath;
use crate::http::answer::Answer;
use crate::http::extract::{IdPath, PatchBody};
use crate::http::problem::Problem;

/// Gives a service token another name.
///
/// Its rights cannot be changed: make another token for that, and revoke this one.
#[utoipa::path(patch, path = "/v1/tenants/{tenant_id}/service-tokens/{service_token_id}",
    operation_id = "updateServiceToken", tag = "Service tokens", params(ServiceTokenPath),
    request_body = ServiceTokenChanges,
    responses((status = 200, description = "The token as it is now.", body = ServiceToken)))]
pub(super) async fn update(
    State(app): State<App>,
    IdPath(at): IdPath<ServiceTokenPath>,
    patch: PatchBody<ServiceTokenChanges>,
) -> Result<Answer, Problem> {
    let name = patch.body.checked()?;
    let mut tx = app.store.tenant(at.tenant_id, &patch.caller.actor()).await?;
    let token = service_token::rename(&mut tx, at.service_token_id, name, patch.expected.0).await?;
    tx.commit().await?;
    Answer::object(&ServiceToken::from(token))
}
