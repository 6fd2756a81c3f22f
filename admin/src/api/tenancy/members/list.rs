//! `GET /v1/tenants/{tenant_id}/members`.

use axum::extract::State;
use axum::http::StatusCode;
use store::member;

use super::model::Member;
use crate::app::App;
use crate::forms::ids::TenantPath;
use crate::forms::page::{Page, PageQuery};
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::{IdPath, StrictQuery};
use crate::http::problem::Problem;

/// Lists the members.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/members",
    operation_id = "listMembers", tag = "Members", params(TenantPath, PageQuery),
    responses((status = 200, description = "A page of members.", body = Page<Member>)))]
pub(super) async fn list(
    State(app): State<App>,
    IdPath(at): IdPath<TenantPath>,
    StrictQuery(query): StrictQuery<PageQuery>,
    caller: Caller,
) -> Result<Answer, Problem> {
    let wanted = query.wanted()?;
    let mut tx = app.store.platform(&caller.actor()).await?;
    let rows = member::list(&mut tx, at.tenant_id, wanted.rows()).await?;
    let page: Page<Member> = wanted.page(rows, |row| row.account.into());
    Answer::json(StatusCode::OK, &page)
}
