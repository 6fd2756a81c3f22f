//! `DELETE /v1/tenants/{tenant_id}/invitations/{invitation_id}`.

use axum::extract::State;
use axum::response::Response;
use store::invitation;

use crate::app::App;
use crate::forms::ids::InvitationPath;
use crate::http::answer::no_content;
use crate::http::caller::Caller;
use crate::http::extract::{Expected, IdPath};
use crate::http::problem::Problem;

/// Takes an invitation back.
///
/// Its token stops working. A person who has accepted it stays a member.
#[utoipa::path(delete, path = "/v1/tenants/{tenant_id}/invitations/{invitation_id}",
    operation_id = "deleteInvitation", tag = "Invitations", params(InvitationPath),
    responses((status = 204, description = "It is gone.")))]
pub(super) async fn delete(
    State(app): State<App>,
    IdPath(at): IdPath<InvitationPath>,
    caller: Caller,
    expected: Expected,
) -> Result<Response, Problem> {
    let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
    invitation::delete(&mut tx, at.invitation_id, expected.0).await?;
    tx.commit().await?;
    Ok(no_content())
}
