//! `GET /v1/tenants/{tenant_id}/service-tokens`.

use axum::extract::State;
use axum::http::StatusCode;
use store::service_token;

use super::model::ServiceToken;
use crate::app::App;
use crate::forms::ids::TenantPath;
use crate::forms::page::{Page, PageQuery};
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::{IdPath, StrictQuery};
use crate::http::problem::Problem;

/// Lists the service tokens, ended ones included.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/service-tokens",
    operation_id = "listServiceTokens", tag = "Service tokens", params(TenantPath, PageQuery),
    responses((status = 200, description = "A page of tokens.", body = Page<ServiceToken>)))]
pub(super) async fn list(
    State(app): State<App>,
    IdPath(at): IdPath<TenantPath>,
    StrictQuery(query): StrictQuery<PageQuery>,
    caller: Caller,
) -> Result<Answer, Problem> {
    let wanted = query.wanted()?;
    let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
    let rows = service_token::list(&mut tx, wanted.rows()).await?;
    let page: Page<ServiceToken> = wanted.page(rows, |row| row.id);
    Answer::json(StatusCode::OK, &page)
}
