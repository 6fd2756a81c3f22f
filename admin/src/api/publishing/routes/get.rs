//! `GET /v1/tenants/{tenant_id}/sites/{site_id}/apis/{api_id}/versions/{version_id}/routes/{route_id}`.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use store::route;

use super::model::Route;
use crate::app::App;
use crate::forms::ids::RoutePath;
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::IdPath;
use crate::http::problem::Problem;

/// Gets a route.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant_id}/sites/{site_id}/apis/{api_id}/versions/{version_id}/routes/{route_id}",
    operation_id = "getRoute",
    tag = "Routes",
    params(RoutePath),
    responses((status = 200, description = "The route.", body = Route)),
)]
pub(super) async fn get(
    State(app): State<App>,
    IdPath(at): IdPath<RoutePath>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
    let route = Route::from(route::get(&mut tx, at.version(), at.route_id).await?);
    Ok(Answer::object(&route)?.unless_known(&headers))
}
