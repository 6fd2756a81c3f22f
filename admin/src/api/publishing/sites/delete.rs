//! `DELETE /v1/tenants/{tenant_id}/sites/{site_id}`.

use axum::extract::State;
use axum::response::Response;
use store::{Work, site};

use crate::app::App;
use crate::forms::ids::SitePath;
use crate::http::answer::no_content;
use crate::http::caller::Caller;
use crate::http::extract::{Expected, IdPath};
use crate::http::problem::Problem;

/// Removes a site with everything in it.
///
/// Its traffic and its keys end at once.
#[utoipa::path(delete, path = "/v1/tenants/{tenant_id}/sites/{site_id}",
    operation_id = "deleteSite", tag = "Sites", params(SitePath),
    responses((status = 204, description = "It is gone.")))]
pub(super) async fn delete(
    State(app): State<App>,
    IdPath(at): IdPath<SitePath>,
    caller: Caller,
    expected: Expected,
) -> Result<Response, Problem> {
    let mut tx = app.store.with_work(Work::Long).tenant(at.tenant_id, &caller.actor()).await?;
    site::delete(&mut tx, at.site_id, expected.0).await?;
    tx.commit().await?;
    Ok(no_content())
}
