//! `PATCH /v1/tenants/{tenant_id}/sites/{site_id}/apis/{api_id}/versions/{version_id}/routes/{route_id}`.

use axum::extract::State;
use store::{api, route, site, version};

use super::model::{Route, RouteChanges};
use crate::api::publishing::collision::{self, Candidate};
use crate::app::App;
use crate::forms::ids::RoutePath;
use crate::http::answer::Answer;
use crate::http::extract::{IdPath, PatchBody};
use crate::http::problem::Problem;

/// Changes a route.
#[utoipa::path(
    patch,
    path = "/v1/tenants/{tenant_id}/sites/{site_id}/apis/{api_id}/versions/{version_id}/routes/{route_id}",
    operation_id = "updateRoute",
    tag = "Routes",
    params(RoutePath),
    request_body(
        content = RouteChanges,
        examples(
            ("public" = (
                summary = "A public route",
                value = json!({"settings": {"auth": "none"}}),
            )),
            ("limited" = (
                summary = "A costly route: few requests of each consumer",
                value = json!({
                    "settings": {
                        "limits": [
                            {
                                "name": "export",
                                "requests": 10,
                                "per": "hour",
                                "burst": 2,
                                "by": ["consumer"]
                            }
                        ]
                    }
                }),
            )),
        ),
    ),
    responses((status = 200, description = "The route as it is now.", body = Route)),
)]
pub(super) async fn update(
    State(app): State<App>,
    IdPath(at): IdPath<RoutePath>,
    patch: PatchBody<RouteChanges>,
) -> Result<Answer, Problem> {
    let changes = patch.body.checked()?;
    let mut tx = app.store.tenant(at.tenant_id, &patch.caller.actor()).await?;
    site::lock(&mut tx, at.site_id).await?;
    let api = api::get(&mut tx, at.site_id, at.api_id).await?;
    let version = version::get(&mut tx, at.site_id, at.api_id, at.version_id).await?;
    let before = route::get(&mut tx, at.version(), at.route_id).await?;
    let candidate = Candidate {
        id: Some(at.route_id),
        base_path: &api.base_path,
        version: version.segment(),
        methods: changes.methods.unwrap_or(before.methods),
        path: changes.path.as_ref().unwrap_or(&before.path),
    };
    collision::refuse(&mut tx, at.site_id, &candidate).await?;
    let route = Route::from(
        route::update(&mut tx, at.version(), at.route_id, changes, patch.expected.0).await?,
    );
    tx.commit().await?;
    Answer::object(&route)
}
