//! `GET /v1/tenants/{tenant_id}/sites/{site_id}/issuers/{issuer_id}`.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use store::issuer;

use super::model::Issuer;
use crate::app::App;
use crate::forms::ids::IssuerPath;
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::IdPath;
use crate::http::problem::Problem;

/// Gets an issuer, without its shared secret.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/sites/{site_id}/issuers/{issuer_id}",
    operation_id = "getIssuer", tag = "Issuers", params(IssuerPath),
    responses((status = 200, description = "The issuer.", body = Issuer)))]
pub(super) async fn get(
    State(app): State<App>,
    IdPath(at): IdPath<IssuerPath>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
    let issuer = Issuer::from(issuer::get(&mut tx, at.site_id, at.issuer_id).await?);
    Ok(Answer::object(&issuer)?.unless_known(&headers))
}
