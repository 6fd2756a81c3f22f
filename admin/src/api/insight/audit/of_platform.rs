//! `GET /v1/operator/audit`.

use axum::extract::State;
use axum::http::StatusCode;
use policy::id::TenantId;
use store::audit::{self, AuditRow, Position};

use super::cursor::{place_in_chain, place_of, read_place, read_place_in_chain};
use super::model::AuditPage;
use super::query::OperatorAuditQuery;
use crate::app::App;
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::StrictQuery;
use crate::http::problem::Problem;

/// Lists the audit log of all tenants and of the platform.
///
/// Newest first. With `tenant_id`, also that of a tenant which was deleted.
#[utoipa::path(
    get,
    path = "/v1/operator/audit",
    operation_id = "listAudit",
    tag = "Audit",
    params(OperatorAuditQuery),
    responses((status = 200, description = "A page of entries.", body = AuditPage)),
)]
pub(super) async fn of_platform(
    State(app): State<App>,
    StrictQuery(query): StrictQuery<OperatorAuditQuery>,
    caller: Caller,
) -> Result<Answer, Problem> {
    let (tenant, query) = query.split()?;
    let mut tx = app.store.audit(&caller.actor()).await?;
    let page = if let Some(tenant) = tenant {
        let asked = query.asked(read_place_in_chain)?;
        let rows =
            audit::newest(&mut tx, TenantId(tenant), &asked.filter, asked.after, asked.rows())
                .await?;
        AuditPage::of(rows, asked.limit, |row| place_in_chain(row.seq))
    } else {
        let asked = query.asked(read_place)?;
        let rows = audit::newest_of_all(&mut tx, &asked.filter, asked.after, asked.rows()).await?;
        AuditPage::of(rows, asked.limit, |row| place_of(&position(row)))
    };
    Answer::json(StatusCode::OK, &page)
}

fn position(row: &AuditRow) -> Position {
    Position { at: row.at, tenant: row.tenant_id, seq: row.seq }
}
