//! `POST /v1/tenants/{tenant_id}/sites/{site_id}/apis`.

use axum::extract::State;
use axum::response::Response;
use store::api;

use super::model::{Api, NewApi};
use crate::app::App;
use crate::forms::ids::SitePath;
use crate::http::answer::Answer;
use crate::http::extract::{IdPath, PostBody};
use crate::http::problem::Problem;

/// Publishes an API under a base path.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/sites/{site_id}/apis",
    operation_id = "createApi", tag = "APIs", params(SitePath),
    request_body = NewApi, responses((status = 201, description = "The API.", body = Api)))]
pub(super) async fn create(
    State(app): State<App>,
    IdPath(at): IdPath<SitePath>,
    post: PostBody<NewApi>,
) -> Result<Response, Problem> {
    let new = post.body.checked()?;
    let mut tx = app.store.tenant(at.tenant_id, &post.caller.actor()).await?;
    if let Some(answer) = post.once.replay(&mut tx).await? {
        return Ok(answer);
    }
    let api = Api::from(api::create(&mut tx, at.site_id, new).await?);
    let place = format!("/v1/tenants/{}/sites/{}/apis/{}", at.tenant_id, at.site_id, api.id);
    post.once.finish(tx, Answer::created(place, &api)?).await
}
