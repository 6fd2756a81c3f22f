//! `POST /v1/tenants/{tenant_id}/sites/{site_id}/consumers/{consumer_id}/keys/{key_id}/rotate`.

use axum::extract::State;
use axum::response::Response;
use store::{key, site};

use super::model::{KeyWithText, Rotation};
use crate::app::App;
use crate::forms::ids::KeyPath;
use crate::http::answer::Answer;
use crate::http::extract::{IdPath, PostBody};
use crate::http::problem::Problem;
use crate::secret;

/// Makes a new key of the same name and settings in the place of one.
///
/// The old key works on for a grace period. A revoked or expired key cannot be rotated.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant_id}/sites/{site_id}/consumers/{consumer_id}/keys/{key_id}/rotate",
    operation_id = "rotateKey",
    tag = "Keys",
    params(KeyPath),
    request_body = Rotation,
    responses((status = 201, description = "The new key.", body = KeyWithText)),
)]
pub(super) async fn rotate(
    State(app): State<App>,
    IdPath(at): IdPath<KeyPath>,
    post: PostBody<Rotation>,
) -> Result<Response, Problem> {
    let grace = post.body.grace((app.clock)())?;
    let mut tx = app.store.tenant(at.tenant_id, &post.caller.actor()).await?;
    if let Some(answer) = post.once.replay(&mut tx).await? {
        return Ok(answer);
    }
    let site = site::get(&mut tx, at.site_id).await?;
    let old = key::get(&mut tx, at.site_id, at.consumer_id, at.key_id).await?;
    let key = secret::api_key(site.environment)?;
    let new = key::NewKey {
        name: old.name,
        digest: key.digest(),
        hint: key.hint(),
        expires_at: post.body.expires_at,
        settings: old.settings,
    };
    let rotated =
        key::rotate(&mut tx, at.site_id, at.consumer_id, at.key_id, new, grace, None).await?;
    let place = format!("{}/keys/{}", at.consumer().place(), rotated.new.id);
    post.once.finish(tx, Answer::created(place, &KeyWithText::new(&key, rotated.new))?).await
}
