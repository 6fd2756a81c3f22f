//! `PATCH /v1/tenants/{tenant_id}/sites/{site_id}`.

use axum::extract::State;
use store::site;

use super::{Site, SiteChanges};
use crate::answer::Answer;
use crate::app::App;
use crate::extract::{At, Patch};
use crate::problem::Problem;
use crate::routes::ids::SitePath;

/// Changes a site.
#[utoipa::path(patch, path = "/v1/tenants/{tenant_id}/sites/{site_id}",
    operation_id = "updateSite", tag = "Sites", params(SitePath),
    request_body = SiteChanges, responses((status = 200, description = "The site as it is now.", body = Site)))]
pub(super) async fn update(
    State(app): State<App>,
    At(at): At<SitePath>,
    patch: Patch<SiteChanges>,
) -> Result<Answer, Problem> {
    let changes = patch.body.checked()?;
    let mut tx = app.store.tenant(at.tenant_id, &patch.caller.actor()).await?;
    let site = Site::from(site::update(&mut tx, at.site_id, changes, patch.expected.0).await?);
    tx.commit().await?;
    Answer::object(&site)
}
