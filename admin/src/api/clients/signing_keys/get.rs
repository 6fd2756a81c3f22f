//! `GET /v1/tenants/{tenant_id}/sites/{site_id}/consumers/{consumer_id}/signing-keys/{signing_key_id}`.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use store::signing_key;

use super::model::SigningKey;
use crate::app::App;
use crate::forms::ids::SigningKeyPath;
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::IdPath;
use crate::http::problem::Problem;

/// Gets a signing key, without its secret.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant_id}/sites/{site_id}/consumers/{consumer_id}/signing-keys/{signing_key_id}",
    operation_id = "getSigningKey",
    tag = "Signing keys",
    params(SigningKeyPath),
    responses((status = 200, description = "The key.", body = SigningKey)),
)]
pub(super) async fn get(
    State(app): State<App>,
    IdPath(at): IdPath<SigningKeyPath>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
    let key = SigningKey::from(
        signing_key::get(&mut tx, at.site_id, at.consumer_id, at.signing_key_id).await?,
    );
    Ok(Answer::object(&key)?.unless_known(&headers))
}
