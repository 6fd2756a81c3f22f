//! `POST /v1/tenants/{tenant_id}/sites`.

use axum::extract::State;
use axum::response::Response;
use store::site;

use super::model::{NewSite, Site};
use crate::app::App;
use crate::forms::ids::TenantPath;
use crate::http::answer::Answer;
use crate::http::extract::{IdPath, PostBody};
use crate::http::problem::Problem;

/// Makes a site, and its own hostname `<slug>.<base domain>`.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/sites",
    operation_id = "createSite", tag = "Sites", params(TenantPath),
    request_body = NewSite, responses((status = 201, description = "The site.", body = Site)))]
pub(super) async fn create(
    State(app): State<App>,
    IdPath(at): IdPath<TenantPath>,
    post: PostBody<NewSite>,
) -> Result<Response, Problem> {
    let new = post.body.checked(&app.base_domain)?;
    let mut tx = app.store.tenant(at.tenant_id, &post.caller.actor()).await?;
    if let Some(answer) = post.once.replay(&mut tx).await? {
        return Ok(answer);
    }
    let site = Site::from(site::create(&mut tx, new).await?);
    let place = format!("/v1/tenants/{}/sites/{}", at.tenant_id, site.id);
    post.once.finish(tx, Answer::created(place, &site)?).await
}
