//! `PATCH /v1/tenants/{tenant_id}/sites/{site_id}/apis/{api_id}/versions/{version_id}`.

use axum::extract::State;
use store::{site, version};

use super::model::{Version, VersionChanges};
use crate::api::publishing::collision;
use crate::app::App;
use crate::forms::ids::VersionPath;
use crate::http::answer::Answer;
use crate::http::extract::{IdPath, PatchBody};
use crate::http::problem::Problem;

/// Changes a version.
///
/// A new name, or another `in_path`, moves all its routes at once.
#[utoipa::path(
    patch,
    path = "/v1/tenants/{tenant_id}/sites/{site_id}/apis/{api_id}/versions/{version_id}",
    operation_id = "updateVersion",
    tag = "Versions",
    params(VersionPath),
    request_body = VersionChanges,
    responses((status = 200, description = "The version as it is now.", body = Version)),
)]
pub(super) async fn update(
    State(app): State<App>,
    IdPath(at): IdPath<VersionPath>,
    patch: PatchBody<VersionChanges>,
) -> Result<Answer, Problem> {
    let changes = patch.body.checked()?;
    let mut tx = app.store.tenant(at.tenant_id, &patch.caller.actor()).await?;
    site::lock(&mut tx, at.site_id).await?;
    let field =
        if changes.name.is_none() && changes.in_path.is_some() { "in_path" } else { "name" };
    let version = Version::from(
        version::update(&mut tx, at.site_id, at.api_id, at.version_id, changes, patch.expected.0)
            .await?,
    );
    collision::refuse_any(&mut tx, at.site_id, field).await?;
    tx.commit().await?;
    Answer::object(&version)
}
