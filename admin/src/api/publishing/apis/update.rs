//! `PATCH /v1/tenants/{tenant_id}/sites/{site_id}/apis/{api_id}`.

use axum::extract::State;
use store::{api, site};

use super::model::{Api, ApiChanges};
use crate::api::publishing::collision;
use crate::app::App;
use crate::forms::ids::ApiPath;
use crate::http::answer::Answer;
use crate::http::extract::{IdPath, PatchBody};
use crate::http::problem::Problem;

/// Changes an API.
///
/// A new base path moves all its routes at once.
#[utoipa::path(
    patch,
    path = "/v1/tenants/{tenant_id}/sites/{site_id}/apis/{api_id}",
    operation_id = "updateApi",
    tag = "APIs",
    params(ApiPath),
    request_body(
        content = ApiChanges,
        examples(
            ("scopes" = (
                summary = "Callers need a scope, and share a limit",
                value = json!({
                    "settings": {
                        "scopes": ["orders:read"],
                        "limits": [{"name": "orders", "requests": 600, "per": "minute"}]
                    }
                }),
            )),
        ),
    ),
    responses((status = 200, description = "The API as it is now.", body = Api)),
)]
pub(super) async fn update(
    State(app): State<App>,
    IdPath(at): IdPath<ApiPath>,
    patch: PatchBody<ApiChanges>,
) -> Result<Answer, Problem> {
    let changes = patch.body.checked()?;
    let mut tx = app.store.tenant(at.tenant_id, &patch.caller.actor()).await?;
    site::lock(&mut tx, at.site_id).await?;
    let api =
        Api::from(api::update(&mut tx, at.site_id, at.api_id, changes, patch.expected.0).await?);
    collision::refuse_any(&mut tx, at.site_id, "base_path").await?;
    tx.commit().await?;
    Answer::object(&api)
}
