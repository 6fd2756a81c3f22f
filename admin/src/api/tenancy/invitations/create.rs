//! `POST /v1/tenants/{tenant_id}/invitations`.

use axum::extract::State;
use axum::response::Response;
use store::{invitation, tenant};

use super::model::{InvitationWithToken, NewInvitation};
use crate::app::App;
use crate::forms::ids::TenantPath;
use crate::http::answer::Answer;
use crate::http::extract::{IdPath, PostBody};
use crate::http::problem::Problem;
use crate::mail::Letter;
use crate::secret::InvitationToken;

/// Invites a person to the tenant.
///
/// The token is in this answer and nowhere else, except in the e-mail, if the platform sends any. A
/// person who has logged in with the invited address accepts it by `POST /v1/me/invitations`.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant_id}/invitations",
    operation_id = "createInvitation",
    tag = "Invitations",
    params(TenantPath),
    request_body(
        content = NewInvitation,
        examples(
            ("developer" = (
                summary = "A developer",
                value = json!({"email": "ada@example.com", "role": "developer"}),
            )),
        ),
    ),
    responses((status = 201, description = "The invitation.", body = InvitationWithToken)),
)]
pub(super) async fn create(
    State(app): State<App>,
    IdPath(at): IdPath<TenantPath>,
    post: PostBody<NewInvitation>,
) -> Result<Response, Problem> {
    let now = (app.clock)();
    let new = post.body.checked(now)?;
    let mut tx = app.store.platform(&post.caller.actor()).await?;
    if let Some(answer) = post.once.replay(&mut tx).await? {
        return Ok(answer);
    }
    let token = InvitationToken::generate()?;
    let row = invitation::create(&mut tx, at.tenant_id, new(&token)).await?;
    if app.outbox.sends_mail() {
        let tenant = tenant::get(&mut tx, at.tenant_id).await?.name;
        let letter = Letter::invitation(row.email.clone(), &tenant, &app.links, token.reveal());
        app.outbox.put(&mut tx, &letter, now).await?;
    }
    let place = format!("/v1/tenants/{}/invitations/{}", at.tenant_id, row.id);
    post.once.finish(tx, Answer::created(place, &InvitationWithToken::new(&token, row))?).await
}
