//! `DELETE /v1/tenants/{tenant_id}/sites/{site_id}/issuers/{issuer_id}`.

use axum::extract::State;
use axum::response::Response;
use store::issuer;

use crate::app::App;
use crate::forms::ids::IssuerPath;
use crate::http::answer::no_content;
use crate::http::caller::Caller;
use crate::http::extract::{Expected, IdPath};
use crate::http::problem::Problem;

/// Removes an issuer, whose tokens are refused from then on.
#[utoipa::path(delete, path = "/v1/tenants/{tenant_id}/sites/{site_id}/issuers/{issuer_id}",
    operation_id = "deleteIssuer", tag = "Issuers", params(IssuerPath),
    responses((status = 204, description = "It is gone.")))]
pub(super) async fn delete(
    State(app): State<App>,
    IdPath(at): IdPath<IssuerPath>,
    caller: Caller,
    expected: Expected,
) -> Result<Response, Problem> {
    let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
    issuer::delete(&mut tx, at.site_id, at.issuer_id, expected.0).await?;
    tx.commit().await?;
    Ok(no_content())
}
