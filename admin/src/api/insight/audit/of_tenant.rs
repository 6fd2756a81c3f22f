//! `GET /v1/tenants/{tenant_id}/audit`.

use axum::extract::State;
use axum::http::StatusCode;
use store::{audit, tenant};

use super::cursor::{place_in_chain, read_place_in_chain};
use super::model::AuditPage;
use super::query::AuditQuery;
use crate::app::App;
use crate::forms::ids::TenantPath;
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::{IdPath, StrictQuery};
use crate::http::problem::Problem;

/// Lists the audit log of a tenant.
///
/// Newest first.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant_id}/audit",
    operation_id = "listTenantAudit",
    tag = "Audit",
    params(TenantPath, AuditQuery),
    responses((status = 200, description = "A page of entries.", body = AuditPage)),
)]
pub(super) async fn of_tenant(
    State(app): State<App>,
    IdPath(at): IdPath<TenantPath>,
    StrictQuery(query): StrictQuery<AuditQuery>,
    caller: Caller,
) -> Result<Answer, Problem> {
    let asked = query.asked(read_place_in_chain)?;
    let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
    tenant::require(&mut tx).await?;
    let rows =
        audit::newest(&mut tx, at.tenant_id, &asked.filter, asked.after, asked.rows()).await?;
    Answer::json(StatusCode::OK, &AuditPage::of(rows, asked.limit, |row| place_in_chain(row.seq)))
}
