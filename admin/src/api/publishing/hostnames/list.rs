//! `GET /v1/tenants/{tenant_id}/sites/{site_id}/hostnames`.

use axum::extract::State;
use axum::http::StatusCode;
use store::hostname;

use super::model::Hostname;
use crate::app::App;
use crate::forms::ids::SitePath;
use crate::forms::page::{Page, PageQuery};
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::{IdPath, StrictQuery};
use crate::http::problem::Problem;

/// Lists the hostnames.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/sites/{site_id}/hostnames",
    operation_id = "listHostnames", tag = "Hostnames", params(SitePath, PageQuery),
    responses((status = 200, description = "A page of hostnames.", body = Page<Hostname>)))]
pub(super) async fn list(
    State(app): State<App>,
    IdPath(at): IdPath<SitePath>,
    StrictQuery(query): StrictQuery<PageQuery>,
    caller: Caller,
) -> Result<Answer, Problem> {
    let wanted = query.wanted()?;
    let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
    let rows = hostname::list(&mut tx, at.site_id, wanted.rows()).await?;
    let page: Page<Hostname> = wanted.page(rows, |row| row.id.into());
    Answer::json(StatusCode::OK, &page)
}
