//! `POST /v1/tenants/{tenant_id}/sites/{site_id}/hostnames`.

use axum::extract::State;
use axum::response::Response;
use store::hostname;

use super::model::{Hostname, NewHostname};
use crate::app::App;
use crate::forms::ids::SitePath;
use crate::http::answer::Answer;
use crate::http::extract::{IdPath, PostBody};
use crate::http::problem::Problem;

/// Gives a site one more hostname under the base domain.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant_id}/sites/{site_id}/hostnames",
    operation_id = "createHostname",
    tag = "Hostnames",
    params(SitePath),
    request_body = NewHostname,
    responses((status = 201, description = "The hostname.", body = Hostname)),
)]
pub(super) async fn create(
    State(app): State<App>,
    IdPath(at): IdPath<SitePath>,
    post: PostBody<NewHostname>,
) -> Result<Response, Problem> {
    let new = post.body.checked(&app.base_domain)?;
    let mut tx = app.store.tenant(at.tenant_id, &post.caller.actor()).await?;
    if let Some(answer) = post.once.replay(&mut tx).await? {
        return Ok(answer);
    }
    let hostname = Hostname::from(hostname::create(&mut tx, at.site_id, new).await?);
    let place =
        format!("/v1/tenants/{}/sites/{}/hostnames/{}", at.tenant_id, at.site_id, hostname.id);
    post.once.finish(tx, Answer::created(place, &hostname)?).await
}
