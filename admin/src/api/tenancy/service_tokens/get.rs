//! `GET /v1/tenants/{tenant_id}/service-tokens/{service_token_id}`.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use store::service_token;

use super::model::ServiceToken;
use crate::app::App;
use crate::forms::ids::ServiceTokenPath;
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::IdPath;
use crate::http::problem::Problem;

/// Gets a service token, without its text.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/service-tokens/{service_token_id}",
    operation_id = "getServiceToken", tag = "Service tokens", params(ServiceTokenPath),
    responses((status = 200, description = "The token.", body = ServiceToken)))]
pub(super) async fn get(
    State(app): State<App>,
    IdPath(at): IdPath<ServiceTokenPath>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
    let token = ServiceToken::from(service_token::get(&mut tx, at.service_token_id).await?);
    Ok(Answer::object(&token)?.unless_known(&headers))
}
