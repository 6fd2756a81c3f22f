//! `GET /v1/tenants/{tenant_id}/invitations`.

use axum::extract::State;
use axum::http::StatusCode;
use store::invitation;

use super::model::Invitation;
use crate::app::App;
use crate::forms::ids::TenantPath;
use crate::forms::page::{Page, PageQuery};
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::{IdPath, StrictQuery};
use crate::http::problem::Problem;

/// Lists the invitations, accepted and void ones included.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/invitations",
    operation_id = "listInvitations", tag = "Invitations", params(TenantPath, PageQuery),
    responses((status = 200, description = "A page of invitations.", body = Page<Invitation>)))]
pub(super) async fn list(
    State(app): State<App>,
    IdPath(at): IdPath<TenantPath>,
    StrictQuery(query): StrictQuery<PageQuery>,
    caller: Caller,
) -> Result<Answer, Problem> {
    let wanted = query.wanted()?;
    let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
    let rows = invitation::list(&mut tx, wanted.rows()).await?;
    let page: Page<Invitation> = wanted.page(rows, |row| row.id);
    Answer::json(StatusCode::OK, &page)
}
