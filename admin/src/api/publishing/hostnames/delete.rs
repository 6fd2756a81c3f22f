//! `DELETE /v1/tenants/{tenant_id}/sites/{site_id}/hostnames/{hostname_id}`.

use axum::extract::State;
use axum::response::Response;
use store::hostname;

use crate::app::App;
use crate::forms::ids::HostnamePath;
use crate::http::answer::no_content;
use crate::http::caller::Caller;
use crate::http::extract::{Expected, IdPath};
use crate::http::problem::Problem;

/// Takes a hostname from its site.
///
/// The site's own hostname stays as long as the site.
#[utoipa::path(delete, path = "/v1/tenants/{tenant_id}/sites/{site_id}/hostnames/{hostname_id}",
    operation_id = "deleteHostname", tag = "Hostnames", params(HostnamePath),
    responses((status = 204, description = "It is gone.")))]
pub(super) async fn delete(
    State(app): State<App>,
    IdPath(at): IdPath<HostnamePath>,
    caller: Caller,
    expected: Expected,
) -> Result<Response, Problem> {
    let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
    hostname::delete(&mut tx, at.site_id, at.hostname_id, expected.0).await?;
    tx.commit().await?;
    Ok(no_content())
}
