//! `GET /v1/tenants/{tenant_id}/members/{account_id}`.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use store::member;

use super::model::Member;
use crate::app::App;
use crate::forms::ids::MemberPath;
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::IdPath;
use crate::http::problem::Problem;

/// Gets a member.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/members/{account_id}",
    operation_id = "getMember", tag = "Members", params(MemberPath),
    responses((status = 200, description = "The member.", body = Member)))]
pub(super) async fn get(
    State(app): State<App>,
    IdPath(at): IdPath<MemberPath>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut tx = app.store.platform(&caller.actor()).await?;
    let member = Member::from(member::get(&mut tx, at.tenant_id, at.account()).await?);
    Ok(Answer::object(&member)?.unless_known(&headers))
}
