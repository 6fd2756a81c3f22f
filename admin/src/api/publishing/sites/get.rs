//! `GET /v1/tenants/{tenant_id}/sites/{site_id}`.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use store::site;

use super::model::Site;
use crate::app::App;
use crate::forms::ids::SitePath;
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::IdPath;
use crate::http::problem::Problem;

/// Gets a site.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/sites/{site_id}",
    operation_id = "getSite", tag = "Sites", params(SitePath),
    responses((status = 200, description = "The site.", body = Site)))]
pub(super) async fn get(
    State(app): State<App>,
    IdPath(at): IdPath<SitePath>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
    let site = Site::from(site::get(&mut tx, at.site_id).await?);
    Ok(Answer::object(&site)?.unless_known(&headers))
}
