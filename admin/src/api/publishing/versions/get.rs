//! `GET /v1/tenants/{tenant_id}/sites/{site_id}/apis/{api_id}/versions/{version_id}`.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use store::version;

use super::model::Version;
use crate::app::App;
use crate::forms::ids::VersionPath;
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::IdPath;
use crate::http::problem::Problem;

/// Gets a version.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant_id}/sites/{site_id}/apis/{api_id}/versions/{version_id}",
    operation_id = "getVersion",
    tag = "Versions",
    params(VersionPath),
    responses((status = 200, description = "The version.", body = Version)),
)]
pub(super) async fn get(
    State(app): State<App>,
    IdPath(at): IdPath<VersionPath>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
    let version = Version::from(version::get(&mut tx, at.site_id, at.api_id, at.version_id).await?);
    Ok(Answer::object(&version)?.unless_known(&headers))
}
