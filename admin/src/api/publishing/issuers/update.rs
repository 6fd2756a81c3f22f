//! `PATCH /v1/tenants/{tenant_id}/sites/{site_id}/issuers/{issuer_id}`.

use axum::extract::State;
use store::{issuer, site};

use super::body::IssuerChanges;
use super::model::Issuer;
use crate::app::App;
use crate::forms::ids::IssuerPath;
use crate::http::answer::Answer;
use crate::http::extract::{IdPath, PatchBody};
use crate::http::problem::Problem;

/// Changes an issuer.
///
/// Absent fields stay as they are. Tokens that the changed issuer would not let in are refused from
/// then on.
#[utoipa::path(patch, path = "/v1/tenants/{tenant_id}/sites/{site_id}/issuers/{issuer_id}",
    operation_id = "updateIssuer", tag = "Issuers", params(IssuerPath),
    request_body = IssuerChanges,
    responses((status = 200, description = "The issuer as it is now.", body = Issuer)))]
pub(super) async fn update(
    State(app): State<App>,
    IdPath(at): IdPath<IssuerPath>,
    patch: PatchBody<IssuerChanges>,
) -> Result<Answer, Problem> {
    let mut tx = app.store.tenant(at.tenant_id, &patch.caller.actor()).await?;
    site::lock(&mut tx, at.site_id).await?;
    let before = issuer::get(&mut tx, at.site_id, at.issuer_id).await?;
    let changes = patch.body.onto(before, &app)?;
    let (key, expected) = (app.secrets.as_deref(), patch.expected.0);
    let issuer = issuer::update(&mut tx, at.site_id, at.issuer_id, changes, expected, key).await?;
    tx.commit().await?;
    Answer::object(&Issuer::from(issuer))
}
