//! `POST /v1/tenants/{tenant_id}/sites/{site_id}/apis/{api_id}/versions/{version_id}/routes`.

use axum::extract::State;
use axum::response::Response;
use store::{api, route, site, version};

use super::model::{NewRoute, Route};
use crate::api::publishing::collision::{self, Candidate};
use crate::app::App;
use crate::forms::ids::VersionPath;
use crate::http::answer::Answer;
use crate::http::extract::{IdPath, PostBody};
use crate::http::problem::Problem;

/// Adds a route to a version.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant_id}/sites/{site_id}/apis/{api_id}/versions/{version_id}/routes",
    operation_id = "createRoute",
    tag = "Routes",
    params(VersionPath),
    request_body = NewRoute,
    responses((status = 201, description = "The route.", body = Route)),
)]
pub(super) async fn create(
    State(app): State<App>,
    IdPath(at): IdPath<VersionPath>,
    post: PostBody<NewRoute>,
) -> Result<Response, Problem> {
    let new = post.body.checked()?;
    let mut tx = app.store.tenant(at.tenant_id, &post.caller.actor()).await?;
    if let Some(answer) = post.once.replay(&mut tx).await? {
        return Ok(answer);
    }
    site::lock(&mut tx, at.site_id).await?;
    let api = api::get(&mut tx, at.site_id, at.api_id).await?;
    let version = version::get(&mut tx, at.site_id, at.api_id, at.version_id).await?;
    let (base_path, version) = (&api.base_path, version.segment());
    let candidate =
        Candidate { id: None, base_path, version, methods: new.methods, path: &new.path };
    collision::refuse(&mut tx, at.site_id, &candidate).await?;
    let route = Route::from(route::create(&mut tx, at.version(), new).await?);
    let place = format!("{}/routes/{}", at.place(), route.id);
    post.once.finish(tx, Answer::created(place, &route)?).await
}
