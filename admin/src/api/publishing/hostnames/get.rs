//! `GET /v1/tenants/{tenant_id}/sites/{site_id}/hostnames/{hostname_id}`.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use store::hostname;

use super::model::Hostname;
use crate::app::App;
use crate::forms::ids::HostnamePath;
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::IdPath;
use crate::http::problem::Problem;

/// Gets a hostname.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/sites/{site_id}/hostnames/{hostname_id}",
    operation_id = "getHostname", tag = "Hostnames", params(HostnamePath),
    responses((status = 200, description = "The hostname.", body = Hostname)))]
pub(super) async fn get(
    State(app): State<App>,
    IdPath(at): IdPath<HostnamePath>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
    let hostname = Hostname::from(hostname::get(&mut tx, at.site_id, at.hostname_id).await?);
    Ok(Answer::object(&hostname)?.unless_known(&headers))
}
