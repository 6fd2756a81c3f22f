//! `POST /v1/me/invitations`.

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use store::account::AccountId;
use store::invitation;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::tenancy::grant::{self, RoleName, SiteRole};
use crate::app::App;
use crate::http::answer::{Answer, Object};
use crate::http::extract::PostBody;
use crate::http::problem::Problem;
use crate::http::problem::request::NOT_FOUND;
use crate::secret::InvitationToken;

/// The token of an invitation.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Acceptance {
    /// The membership that came with the invitation.
    #[schema(example = "tni_<40 letters and digits>")]
    token: String,
}

/// The caller's membership.
#[derive(Debug, Serialize, ToSchema)]
struct Joined {
    /// The tenant that the caller is a member of now.
    tenant_id: Uuid,
    /// The caller's role in the tenant; null for roles in some sites alone.
    #[schema(required = true)]
    role: Option<RoleName>,
    /// The caller's roles in single sites.
    sites: Vec<SiteRole>,
    #[serde(skip)]
    revision: i64,
}

impl Object for Joined {
    fn revision(&self) -> i64 {
        self.revision
    }
}

/// Accepts an invitation.
///
/// Only the account with the invited address can, once, and while it is good; otherwise there is no
/// such invitation.
#[utoipa::path(
    post,
    path = "/v1/me/invitations",
    operation_id = "acceptInvitation",
    tag = "Invitations",
    request_body = Acceptance,
    responses(
        (status = 201, description = "The caller is a member now.", body = Joined),
        (status = 404, description = "There is no such invitation."),
    ),
)]
pub(super) async fn accept(
    State(app): State<App>,
    post: PostBody<Acceptance>,
) -> Result<Response, Problem> {
    let account = AccountId(post.caller.account()?);
    let token = InvitationToken::parse(&post.body.token).ok_or(&NOT_FOUND)?;
    let mut tx = app.store.platform(&post.caller.actor()).await?;
    if let Some(answer) = post.once.replay(&mut tx).await? {
        return Ok(answer);
    }
    let (tenant, member) = invitation::accept(&mut tx, &token.digest(), account).await?;
    let joined = Joined {
        tenant_id: tenant.into(),
        role: grant::role(&member.standing),
        sites: grant::sites(&member.standing),
        revision: member.revision,
    };
    let place = format!("/v1/tenants/{tenant}/members/{}", account.0);
    post.once.finish(tx, Answer::created(place, &joined)?).await
}
