//! `DELETE /v1/tenants/{tenant_id}`.

use axum::extract::State;
use axum::response::Response;
use store::tenant;

use crate::app::App;
use crate::forms::ids::TenantPath;
use crate::http::answer::no_content;
use crate::http::caller::Caller;
use crate::http::extract::{Expected, IdPath};
use crate::http::problem::Problem;

/// Removes a tenant with everything that it has.
///
/// Its traffic and its keys end at once.
#[utoipa::path(delete, path = "/v1/tenants/{tenant_id}",
    operation_id = "deleteTenant", tag = "Tenants", params(TenantPath),
    responses((status = 204, description = "It is gone.")))]
pub(super) async fn delete(
    State(app): State<App>,
    IdPath(at): IdPath<TenantPath>,
    caller: Caller,
    expected: Expected,
) -> Result<Response, Problem> {
    let mut tx = app.store.platform(&caller.actor()).await?;
    tenant::delete(&mut tx, at.tenant_id, expected.0).await?;
    tx.commit().await?;
    Ok(no_content())
}
