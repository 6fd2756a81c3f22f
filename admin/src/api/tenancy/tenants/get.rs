//! `GET /v1/tenants/{tenant_id}`.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use store::tenant;

use super::model::Tenant;
use crate::app::App;
use crate::forms::ids::TenantPath;
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::IdPath;
use crate::http::problem::Problem;

/// Gets a tenant.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant_id}",
    operation_id = "getTenant",
    tag = "Tenants",
    params(TenantPath),
    responses((status = 200, description = "The tenant.", body = Tenant)),
)]
pub(super) async fn get(
    State(app): State<App>,
    IdPath(at): IdPath<TenantPath>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut tx = app.store.platform(&caller.actor()).await?;
    let tenant = Tenant::from(tenant::get(&mut tx, at.tenant_id).await?);
    Ok(Answer::object(&tenant)?.unless_known(&headers))
}
