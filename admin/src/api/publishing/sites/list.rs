//! `GET /v1/tenants/{tenant_id}/sites`.

use axum::extract::State;
use axum::http::StatusCode;
use store::site;

use super::model::Site;
use crate::app::App;
use crate::forms::ids::TenantPath;
use crate::forms::page::{Page, PageQuery};
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::{IdPath, StrictQuery};
use crate::http::problem::Problem;

/// Lists the sites that the caller may see.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/sites",
    operation_id = "listSites", tag = "Sites", params(TenantPath, PageQuery),
    responses((status = 200, description = "A page of sites.", body = Page<Site>)))]
pub(super) async fn list(
    State(app): State<App>,
    IdPath(at): IdPath<TenantPath>,
    StrictQuery(query): StrictQuery<PageQuery>,
    caller: Caller,
) -> Result<Answer, Problem> {
    let wanted = query.wanted()?;
    let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
    let rows = site::list(&mut tx, caller.visible_sites().as_deref(), wanted.rows()).await?;
    let page: Page<Site> = wanted.page(rows, |row| row.id.into());
    Answer::json(StatusCode::OK, &page)
}
