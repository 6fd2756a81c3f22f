//! `PATCH /v1/tenants/{tenant_id}`.

use axum::extract::State;
use store::tenant;

use super::model::{Tenant, TenantChanges};
use crate::app::App;
use crate::forms::ids::TenantPath;
use crate::http::answer::Answer;
use crate::http::extract::{IdPath, PatchBody};
use crate::http::problem::Problem;

/// Changes a tenant as the platform sees it: its names, its bounds and its placement.
#[utoipa::path(
    patch,
    path = "/v1/tenants/{tenant_id}",
    operation_id = "updateTenant",
    tag = "Tenants",
    params(TenantPath),
    request_body(
        content = TenantChanges,
        examples(
            ("time_zone" = (
                summary = "The zone in which days and months begin",
                value = json!({"settings": {"time_zone": "Europe/Berlin"}}),
            )),
            ("bounds" = (
                summary = "Bounds of the tenant, over all its sites",
                value = json!({
                    "settings": {
                        "limits": [{"name": "total", "requests": 5000, "per": "second"}],
                        "quotas": [{"name": "monthly", "requests": 50000000, "per": "month"}],
                        "max_concurrent_requests": 500,
                        "weight": 200
                    }
                }),
            )),
        ),
    ),
    responses((status = 200, description = "The tenant as it is now.", body = Tenant)),
)]
pub(super) async fn update(
    State(app): State<App>,
    IdPath(at): IdPath<TenantPath>,
    patch: PatchBody<TenantChanges>,
) -> Result<Answer, Problem> {
    let changes = patch.body.checked()?;
    let mut tx = app.store.platform(&patch.caller.actor()).await?;
    let tenant =
        Tenant::from(tenant::update(&mut tx, at.tenant_id, changes, patch.expected.0).await?);
    tx.commit().await?;
    Answer::object(&tenant)
}
