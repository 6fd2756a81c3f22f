//! `GET /v1/operator/audit/export`.

use axum::extract::State;
use axum::response::Response;
use policy::id::TenantId;
use store::audit;

use super::export::{Chain, stream};
use super::query::OperatorExportQuery;
use crate::app::App;
use crate::http::caller::Caller;
use crate::http::extract::StrictQuery;
use crate::http::problem::Problem;

/// Exports a chain of the audit log.
///
/// The platform's, or with `tenant_id` that of a tenant, which may have been deleted since.
/// Otherwise as the export of a tenant.
#[utoipa::path(
    get,
    path = "/v1/operator/audit/export",
    operation_id = "exportAudit",
    tag = "Audit",
    params(OperatorExportQuery),
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
    StrictQuery(query): StrictQuery<OperatorExportQuery>,
    caller: Caller,
) -> Result<Response, Problem> {
    let (tenant, format) = query.split()?;
    let tenant = tenant.map_or(audit::PLATFORM, TenantId);
    let actor = caller.actor();
    let mut tx = app.store.audit(&actor).await?;
    let head = audit::head(&mut tx, tenant).await?;
    drop(tx);
    Ok(stream(Chain::Any(tenant), &app, actor, head, format))
}
