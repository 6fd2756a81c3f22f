//! `GET /v1/tenants/{tenant_id}/audit/export`.

use axum::extract::State;
use axum::response::Response;
use store::{audit, tenant};

use super::export::{Chain, stream};
use super::query::ExportQuery;
use crate::app::App;
use crate::forms::ids::TenantPath;
use crate::http::caller::Caller;
use crate::http::extract::{IdPath, StrictQuery};
use crate::http::problem::Problem;

/// Exports the audit log of a tenant.
///
/// The whole chain, oldest first, as JSON Lines or CSV. `tenantry-admin audit verify` checks the
/// JSON Lines without the database. Keep `Audit-Rows` and `Audit-Head` elsewhere: with them it
/// finds rows that were cut off the end later.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant_id}/audit/export",
    operation_id = "exportTenantAudit",
    tag = "Audit",
    params(TenantPath, ExportQuery),
    responses(
        (
            status = 200,
            description = "The chain.",
            headers(
                ("Audit-Rows" = i64, description = "The number of its rows."),
                (
                    "Audit-Head" = String,
                    description = "The hash of the last one; empty if there is none."
                ),
            ),
            content((String = "application/jsonl"), (String = "text/csv")),
        ),
    ),
)]
pub(super) async fn export(
    State(app): State<App>,
    IdPath(at): IdPath<TenantPath>,
    StrictQuery(query): StrictQuery<ExportQuery>,
    caller: Caller,
) -> Result<Response, Problem> {
    let format = query.format()?;
    let actor = caller.actor();
    let mut tx = app.store.tenant(at.tenant_id, &actor).await?;
    tenant::require(&mut tx).await?;
    let head = audit::head(&mut tx, at.tenant_id).await?;
    drop(tx);
    Ok(stream(Chain::OfTenant(at.tenant_id), &app, actor, head, format))
}
