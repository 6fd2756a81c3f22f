//! `DELETE /v1/tenants/{tenant_id}/sites/{site_id}/consumers/{consumer_id}/keys/{key_id}`.

use axum::extract::State;
use axum::response::Response;
use store::key;

use crate::app::App;
use crate::forms::ids::KeyPath;
use crate::http::answer::no_content;
use crate::http::caller::Caller;
use crate::http::extract::{Expected, IdPath};
use crate::http::problem::Problem;

/// Revokes an API key for good.
///
/// The key can still be read, with `revoked_at`; revoking it again changes nothing.
#[utoipa::path(
    delete,
    path = "/v1/tenants/{tenant_id}/sites/{site_id}/consumers/{consumer_id}/keys/{key_id}",
    operation_id = "revokeKey",
    tag = "Keys",
    params(KeyPath),
    responses((status = 204, description = "It is revoked.")),
)]
pub(super) async fn revoke(
    State(app): State<App>,
    IdPath(at): IdPath<KeyPath>,
    caller: Caller,
    expected: Expected,
) -> Result<Response, Problem> {
    let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
    key::revoke(&mut tx, at.site_id, at.consumer_id, at.key_id, expected.0).await?;
    tx.commit().await?;
    Ok(no_content())
}
