//! `PATCH /v1/tenants/{tenant_id}/members/{account_id}`.

use axum::extract::State;
use store::member;

use super::model::{Member, MemberChanges};
use crate::app::App;
use crate::forms::ids::MemberPath;
use crate::http::answer::Answer;
use crate::http::extract::{IdPath, PatchBody};
use crate::http::problem::Problem;

/// Changes the roles of a member.
///
/// It holds for the next request of the member. A tenant always has an Admin: the last one stays
/// one.
#[utoipa::path(
    patch,
    path = "/v1/tenants/{tenant_id}/members/{account_id}",
    operation_id = "updateMember",
    tag = "Members",
    params(MemberPath),
    request_body = MemberChanges,
    responses((status = 200, description = "The member as it is now.", body = Member)),
)]
pub(super) async fn update(
    State(app): State<App>,
    IdPath(at): IdPath<MemberPath>,
    patch: PatchBody<MemberChanges>,
) -> Result<Answer, Problem> {
    let mut tx = app.store.platform(&patch.caller.actor()).await?;
    let before = member::lock(&mut tx, at.tenant_id, at.account(), patch.expected.0).await?;
    let standing = patch.body.applied_to(&before.standing)?;
    let member = Member::from(member::update(&mut tx, at.tenant_id, &before, standing).await?);
    tx.commit().await?;
    Answer::object(&member)
}
