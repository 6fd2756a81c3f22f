//! `POST /v1/tenants/{tenant_id}/sites/{site_id}/consumers/{consumer_id}/keys`.

use axum::extract::State;
use axum::response::Response;
use store::{key, site};

use super::model::{KeyWithText, NewKey};
use crate::app::App;
use crate::forms::ids::ConsumerPath;
use crate::http::answer::Answer;
use crate::http::extract::{IdPath, PostBody};
use crate::http::problem::Problem;
use crate::secret;

/// Makes an API key for a consumer.
///
/// The key is in this answer and nowhere else; keep it.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant_id}/sites/{site_id}/consumers/{consumer_id}/keys",
    operation_id = "createKey",
    tag = "Keys",
    params(ConsumerPath),
    request_body(
        content = NewKey,
        examples(
            ("plain" = (summary = "A key that does not expire", value = json!({"name": "CI"}))),
            ("narrow" = (
                summary = "A key for one scope, from one network",
                value = json!({
                    "name": "Reporting",
                    "settings": {"scopes": ["orders:read"], "ip": {"allow": ["198.51.100.0/24"]}}
                }),
            )),
        ),
    ),
    responses((status = 201, description = "The key.", body = KeyWithText)),
)]
pub(super) async fn create(
    State(app): State<App>,
    IdPath(at): IdPath<ConsumerPath>,
    post: PostBody<NewKey>,
) -> Result<Response, Problem> {
    let new = post.body.checked((app.clock)())?;
    let mut tx = app.store.tenant(at.tenant_id, &post.caller.actor()).await?;
    if let Some(answer) = post.once.replay(&mut tx).await? {
        return Ok(answer);
    }
    let site = site::get(&mut tx, at.site_id).await?;
    let key = secret::api_key(site.environment)?;
    let row = key::create(&mut tx, at.site_id, at.consumer_id, new(&key)).await?;
    let place = format!("{}/keys/{}", at.place(), row.id);
    post.once.finish(tx, Answer::created(place, &KeyWithText::new(&key, row))?).await
}
