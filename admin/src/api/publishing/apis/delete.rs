//! `DELETE /v1/tenants/{tenant_id}/sites/{site_id}/apis/{api_id}`.

use axum::extract::State;
use axum::response::Response;
use store::{Work, api};

use crate::app::App;
use crate::forms::ids::ApiPath;
use crate::http::answer::no_content;
use crate::http::caller::Caller;
use crate::http::extract::{Expected, IdPath};
use crate::http::problem::Problem;

/// Removes an API with its versions and routes.
#[utoipa::path(delete, path = "/v1/tenants/{tenant_id}/sites/{site_id}/apis/{api_id}",
    operation_id = "deleteApi", tag = "APIs", params(ApiPath),
    responses((status = 204, description = "It is gone.")))]
pub(super) async fn delete(
    State(app): State<App>,
    IdPath(at): IdPath<ApiPath>,
    caller: Caller,
    expected: Expected,
) -> Result<Response, Problem> {
    let mut tx = app.store.with_work(Work::Long).tenant(at.tenant_id, &caller.actor()).await?;
    api::delete(&mut tx, at.site_id, at.api_id, expected.0).await?;
    tx.commit().await?;
    Ok(no_content())
}
