//! `PATCH /v1/tenants/{tenant_id}/sites/{site_id}/upstreams/{upstream_id}`.

use axum::extract::State;
use store::upstream;

use super::model::{Upstream, UpstreamChanges};
use crate::app::App;
use crate::forms::ids::UpstreamPath;
use crate::http::answer::Answer;
use crate::http::extract::{IdPath, PatchBody};
use crate::http::problem::Problem;

/// Changes an upstream.
///
/// `endpoints` replaces the whole list.
#[utoipa::path(patch, path = "/v1/tenants/{tenant_id}/sites/{site_id}/upstreams/{upstream_id}",
    operation_id = "updateUpstream", tag = "Upstreams", params(UpstreamPath),
    request_body = UpstreamChanges,
    responses((status = 200, description = "The upstream as it is now.", body = Upstream)))]
pub(super) async fn update(
    State(app): State<App>,
    IdPath(at): IdPath<UpstreamPath>,
    patch: PatchBody<UpstreamChanges>,
) -> Result<Answer, Problem> {
    let changes = patch.body.checked(&app.upstream_addresses)?;
    let mut tx = app.store.tenant(at.tenant_id, &patch.caller.actor()).await?;
    let upstream = Upstream::from(
        upstream::update(&mut tx, at.site_id, at.upstream_id, changes, patch.expected.0).await?,
    );
    tx.commit().await?;
    Answer::object(&upstream)
}
