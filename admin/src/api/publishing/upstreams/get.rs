//! `GET /v1/tenants/{tenant_id}/sites/{site_id}/upstreams/{upstream_id}`.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use store::upstream;

use super::model::Upstream;
use crate::app::App;
use crate::forms::ids::UpstreamPath;
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::IdPath;
use crate::http::problem::Problem;

/// Gets an upstream.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/sites/{site_id}/upstreams/{upstream_id}",
    operation_id = "getUpstream", tag = "Upstreams", params(UpstreamPath),
    responses((status = 200, description = "The upstream.", body = Upstream)))]
pub(super) async fn get(
    State(app): State<App>,
    IdPath(at): IdPath<UpstreamPath>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
    let upstream = Upstream::from(upstream::get(&mut tx, at.site_id, at.upstream_id).await?);
    Ok(Answer::object(&upstream)?.unless_known(&headers))
}
