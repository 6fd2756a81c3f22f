//! `POST /v1/tenants/{tenant_id}/sites/{site_id}/issuers`.

use axum::extract::State;
use axum::response::Response;
use store::issuer;

use super::{Issuer, NewIssuer};
use crate::answer::Answer;
use crate::app::App;
use crate::extract::{At, Post};
use crate::problem::Problem;
use crate::routes::ids::SitePath;

/// Makes an issuer of tokens that the site accepts.
///
/// Its public keys come from `jwks_uri` or `jwks`; HS256, HS384 and HS512 take a `shared_secret` instead. A token leads to
/// the consumer whose `settings.subjects` have the issuer and the value of the token's `consumer_claim`.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/sites/{site_id}/issuers",
    operation_id = "createIssuer", tag = "Issuers", params(SitePath),
    request_body = NewIssuer, responses((status = 201, description = "The issuer.", body = Issuer)))]
pub(super) async fn create(
    State(app): State<App>,
    At(at): At<SitePath>,
    post: Post<NewIssuer>,
) -> Result<Response, Problem> {
    let new = post.body.checked(&app)?;
    let mut tx = app.store.tenant(at.tenant_id, &post.caller.actor()).await?;
    if let Some(answer) = post.once.replay(&mut tx).await? {
        return Ok(answer);
    }
    let issuer = Issuer::from(issuer::create(&mut tx, at.site_id, new, app.secrets.as_deref()).await?);
    let place = format!("{}/issuers/{}", at.place(), issuer.id);
    post.once.finish(tx, Answer::created(place, &issuer)?).await
}
