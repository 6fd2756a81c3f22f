//! `GET /v1/tenants/{tenant_id}/sites/{site_id}/apis/{api_id}`.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use store::api;

use super::model::Api;
use crate::app::App;
use crate::forms::ids::ApiPath;
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::IdPath;
use crate::http::problem::Problem;

/// Gets an API.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/sites/{site_id}/apis/{api_id}",
    operation_id = "getApi", tag = "APIs", params(ApiPath),
    responses((status = 200, description = "The API.", body = Api)))]
pub(super) async fn get(
    State(app): State<App>,
    IdPath(at): IdPath<ApiPath>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
    let api = Api::from(api::get(&mut tx, at.site_id, at.api_id).await?);
    Ok(Answer::object(&api)?.unless_known(&headers))
}
