//! `DELETE /v1/tenants/{tenant_id}/service-tokens/{service_token_id}`.

use axum::extract::State;
use axum::response::Response;
use store::service_token;

use crate::app::App;
use crate::forms::ids::ServiceTokenPath;
use crate::http::answer::no_content;
use crate::http::caller::Caller;
use crate::http::extract::{Expected, IdPath};
use crate::http::problem::Problem;

/// Revokes a service token.
///
/// The next request with it is refused. It stays in the list.
#[utoipa::path(delete, path = "/v1/tenants/{tenant_id}/service-tokens/{service_token_id}",
    operation_id = "revokeServiceToken", tag = "Service tokens", params(ServiceTokenPath),
    responses((status = 204, description = "It is revoked.")))]
pub(super) async fn revoke(
    State(app): State<App>,
    IdPath(at): IdPath<ServiceTokenPath>,
    caller: Caller,
    expected: Expected,
) -> Result<Response, Problem> {
    let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
    service_token::revoke(&mut tx, at.service_token_id, expected.0).await?;
    tx.commit().await?;
    Ok(no_content())
}
