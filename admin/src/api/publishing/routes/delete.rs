//! `DELETE /v1/tenants/{tenant_id}/sites/{site_id}/apis/{api_id}/versions/{version_id}/routes/{route_id}`.

use axum::extract::State;
use axum::response::Response;
use store::route;

use crate::app::App;
use crate::forms::ids::RoutePath;
use crate::http::answer::no_content;
use crate::http::caller::Caller;
use crate::http::extract::{Expected, IdPath};
use crate::http::problem::Problem;

/// Removes a route.
#[utoipa::path(
    delete,
    path = "/v1/tenants/{tenant_id}/sites/{site_id}/apis/{api_id}/versions/{version_id}/routes/{route_id}",
    operation_id = "deleteRoute",
    tag = "Routes",
    params(RoutePath),
    responses((status = 204, description = "It is gone.")),
)]
pub(super) async fn delete(
    State(app): State<App>,
    IdPath(at): IdPath<RoutePath>,
    caller: Caller,
    expected: Expected,
) -> Result<Response, Problem> {
    let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
    route::delete(&mut tx, at.version(), at.route_id, expected.0).await?;
    tx.commit().await?;
    Ok(no_content())
}
