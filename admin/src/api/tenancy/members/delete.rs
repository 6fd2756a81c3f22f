//! `DELETE /v1/tenants/{tenant_id}/members/{account_id}`.

use axum::extract::State;
use axum::response::Response;
use store::member;

use crate::app::App;
use crate::forms::ids::MemberPath;
use crate::http::answer::no_content;
use crate::http::caller::Caller;
use crate::http::extract::{Expected, IdPath};
use crate::http::problem::Problem;

/// Takes a member out of the tenant.
///
/// The next request of the member is answered as if the tenant did not exist. The last Admin cannot
/// be removed. The account, and the objects that the person made, stay.
#[utoipa::path(delete, path = "/v1/tenants/{tenant_id}/members/{account_id}",
    operation_id = "deleteMember", tag = "Members", params(MemberPath),
    responses((status = 204, description = "The person is no member any more.")))]
pub(super) async fn delete(
    State(app): State<App>,
    IdPath(at): IdPath<MemberPath>,
    caller: Caller,
    expected: Expected,
) -> Result<Response, Problem> {
    let mut tx = app.store.platform(&caller.actor()).await?;
    let before = member::lock(&mut tx, at.tenant_id, at.account(), expected.0).await?;
    member::delete(&mut tx, at.tenant_id, &before).await?;
    tx.commit().await?;
    Ok(no_content())
}
