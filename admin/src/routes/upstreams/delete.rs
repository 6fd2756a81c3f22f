//! `DELETE /v1/tenants/{tenant_id}/sites/{site_id}/upstreams/{upstream_id}`.

use axum::extract::State;
use axum::response::Response;
use store::upstream;

use crate::answer::no_content;
use crate::app::App;
use crate::auth::Caller;
use crate::extract::{At, Expected};
use crate::problem::Problem;
use crate::routes::ids::UpstreamPath;

/// Removes an upstream that no version and no route uses.
#[utoipa::path(delete, path = "/v1/tenants/{tenant_id}/sites/{site_id}/upstreams/{upstream_id}", operation_id = "deleteUpstream", tag = "Upstreams", params(UpstreamPath),
    responses((status = 204, description = "It is gone.")))]
pub(super) async fn delete(
    State(app): State<App>,
    At(at): At<UpstreamPath>,
    caller: Caller,
    expected: Expected,
) -> Result<Response, Problem> {
    let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
    upstream::delete(&mut tx, at.site_id, at.upstream_id, expected.0).await?;
    tx.commit().await?;
    Ok(no_content())
}
