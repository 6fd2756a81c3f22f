//! `PATCH /v1/tenants/{tenant_id}/profile`.

use axum::extract::State;
use store::tenant;

use super::contact::ProfileChanges;
use super::model::Tenant;
use crate::app::App;
use crate::forms::ids::TenantPath;
use crate::http::answer::Answer;
use crate::http::extract::{IdPath, PatchBody};
use crate::http::problem::Problem;

/// Changes the profile of a tenant, and its demands on its members.
#[utoipa::path(
    patch,
    path = "/v1/tenants/{tenant_id}/profile",
    operation_id = "updateTenantProfile",
    tag = "Tenants",
    params(TenantPath),
    request_body(
        content = ProfileChanges,
        examples(
            ("contacts" = (
                summary = "A contact",
                value = json!({
                    "contacts": [
                        {"about": "security", "name": "Ada Lovelace", "email": "ada@example.com"}
                    ]
                }),
            )),
        ),
    ),
    responses((status = 200, description = "The tenant as it is now.", body = Tenant)),
)]
pub(super) async fn update(
    State(app): State<App>,
    IdPath(at): IdPath<TenantPath>,
    patch: PatchBody<ProfileChanges>,
) -> Result<Answer, Problem> {
    let changes = patch.body.checked()?;
    let mut tx = app.store.platform(&patch.caller.actor()).await?;
    let tenant = Tenant::from(
        tenant::update_profile(&mut tx, at.tenant_id, changes, patch.expected.0).await?,
    );
    tx.commit().await?;
    Answer::object(&tenant)
}
