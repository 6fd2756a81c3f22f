//! `POST /v1/tenants/{tenant_id}/sites/{site_id}/apis/{api_id}/versions`.

use axum::extract::State;
use axum::response::Response;
use store::version;

use super::model::{NewVersion, Version};
use crate::app::App;
use crate::forms::ids::ApiPath;
use crate::http::answer::Answer;
use crate::http::extract::{IdPath, PostBody};
use crate::http::problem::Problem;

/// Adds a version to an API.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant_id}/sites/{site_id}/apis/{api_id}/versions",
    operation_id = "createVersion",
    tag = "Versions",
    params(ApiPath),
    request_body = NewVersion,
    responses((status = 201, description = "The version.", body = Version)),
)]
pub(super) async fn create(
    State(app): State<App>,
    IdPath(at): IdPath<ApiPath>,
    post: PostBody<NewVersion>,
) -> Result<Response, Problem> {
    let new = post.body.checked()?;
    let mut tx = app.store.tenant(at.tenant_id, &post.caller.actor()).await?;
    if let Some(answer) = post.once.replay(&mut tx).await? {
        return Ok(answer);
    }
    let version = Version::from(version::create(&mut tx, at.site_id, at.api_id, new).await?);
    let place = format!(
        "/v1/tenants/{}/sites/{}/apis/{}/versions/{}",
        at.tenant_id, at.site_id, at.api_id, version.id
    );
    post.once.finish(tx, Answer::created(place, &version)?).await
}
