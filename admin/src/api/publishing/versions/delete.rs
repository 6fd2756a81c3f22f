//! `DELETE /v1/tenants/{tenant_id}/sites/{site_id}/apis/{api_id}/versions/{version_id}`.

use axum::extract::State;
use axum::response::Response;
use store::{Work, version};

use crate::app::App;
use crate::forms::ids::VersionPath;
use crate::http::answer::no_content;
use crate::http::caller::Caller;
use crate::http::extract::{Expected, IdPath};
use crate::http::problem::Problem;

/// Removes a version with its routes.
#[utoipa::path(
    delete,
    path = "/v1/tenants/{tenant_id}/sites/{site_id}/apis/{api_id}/versions/{version_id}",
    operation_id = "deleteVersion",
    tag = "Versions",
    params(VersionPath),
    responses((status = 204, description = "It is gone.")),
)]
pub(super) async fn delete(
    State(app): State<App>,
    IdPath(at): IdPath<VersionPath>,
    caller: Caller,
    expected: Expected,
) -> Result<Response, Problem> {
    let mut tx = app.store.with_work(Work::Long).tenant(at.tenant_id, &caller.actor()).await?;
    version::delete(&mut tx, at.site_id, at.api_id, at.version_id, expected.0).await?;
    tx.commit().await?;
    Ok(no_content())
}
