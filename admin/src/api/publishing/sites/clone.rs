//! `POST /v1/tenants/{tenant_id}/sites/{site_id}/clone`.

use axum::extract::State;
use axum::response::Response;
use store::{Work, site};

use super::copy::SiteCopy;
use super::model::Site;
use crate::app::App;
use crate::forms::ids::SitePath;
use crate::http::answer::Answer;
use crate::http::extract::{IdPath, PostBody};
use crate::http::problem::Problem;

/// Copies a site.
///
/// The copy has the settings, upstreams, APIs, versions, routes, plans and issuers of the original,
/// with the issuers' shared secrets. It has new ids and a hostname of its own, and references
/// inside the site lead to the copied objects. Hostnames, consumers, their keys and usage are not
/// copied: they belong to the callers of the original.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/sites/{site_id}/clone",
    operation_id = "cloneSite", tag = "Sites", params(SitePath),
    request_body = SiteCopy, responses((status = 201, description = "The copy.", body = Site)))]
pub(super) async fn clone(
    State(app): State<App>,
    IdPath(at): IdPath<SitePath>,
    post: PostBody<SiteCopy>,
) -> Result<Response, Problem> {
    let new = post.body.checked(&app.base_domain)?;
    let mut tx = app.store.with_work(Work::Long).tenant(at.tenant_id, &post.caller.actor()).await?;
    if let Some(answer) = post.once.replay(&mut tx).await? {
        return Ok(answer);
    }
    let copy = Site::from(site::copy(&mut tx, at.site_id, new, app.secrets.as_deref()).await?);
    let place = format!("/v1/tenants/{}/sites/{}", at.tenant_id, copy.id);
    post.once.finish(tx, Answer::created(place, &copy)?).await
}
