//! `POST /v1/tenants/{tenant_id}/sites/{site_id}/upstreams`.

use axum::extract::State;
use axum::response::Response;
use store::upstream;

use super::model::{NewUpstream, Upstream};
use crate::app::App;
use crate::forms::ids::SitePath;
use crate::http::answer::Answer;
use crate::http::extract::{IdPath, PostBody};
use crate::http::problem::Problem;

/// Makes an upstream.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant_id}/sites/{site_id}/upstreams",
    operation_id = "createUpstream",
    tag = "Upstreams",
    params(SitePath),
    request_body = NewUpstream,
    responses((status = 201, description = "The upstream.", body = Upstream)),
)]
pub(super) async fn create(
    State(app): State<App>,
    IdPath(at): IdPath<SitePath>,
    post: PostBody<NewUpstream>,
) -> Result<Response, Problem> {
    let new = post.body.checked(&app.upstream_addresses)?;
    let mut tx = app.store.tenant(at.tenant_id, &post.caller.actor()).await?;
    if let Some(answer) = post.once.replay(&mut tx).await? {
        return Ok(answer);
    }
    let upstream = Upstream::from(upstream::create(&mut tx, at.site_id, new).await?);
    let place =
        format!("/v1/tenants/{}/sites/{}/upstreams/{}", at.tenant_id, at.site_id, upstream.id);
    post.once.finish(tx, Answer::created(place, &upstream)?).await
}
