//! `GET /v1/tenants/{tenant_id}/invitations/{invitation_id}`.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use store::invitation;

use super::model::Invitation;
use crate::app::App;
use crate::forms::ids::InvitationPath;
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::IdPath;
use crate::http::problem::Problem;

/// Gets an invitation, without its token.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/invitations/{invitation_id}",
    operation_id = "getInvitation", tag = "Invitations", params(InvitationPath),
    responses((status = 200, description = "The invitation.", body = Invitation)))]
pub(super) async fn get(
    State(app): State<App>,
    IdPath(at): IdPath<InvitationPath>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
    let invitation = Invitation::from(invitation::get(&mut tx, at.invitation_id).await?);
    Ok(Answer::object(&invitation)?.unless_known(&headers))
}
