//! `GET /v1/tenants/{tenant_id}/usage`.

use axum::extract::State;
use axum::http::StatusCode;

use super::model::Usage;
use super::page::page;
use super::query::UsageQuery;
use crate::app::App;
use crate::forms::ids::TenantPath;
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::{IdPath, StrictQuery};
use crate::http::problem::Problem;

/// Gets the usage of a tenant.
///
/// Removed sites are included. The usage of the last seconds may still be missing.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/usage",
    operation_id = "getTenantUsage", tag = "Usage", params(TenantPath, UsageQuery),
    responses((status = 200, description = "A page of usage.", body = Usage)))]
pub(super) async fn of_tenant(
    State(app): State<App>,
    IdPath(at): IdPath<TenantPath>,
    StrictQuery(query): StrictQuery<UsageQuery>,
    caller: Caller,
) -> Result<Answer, Problem> {
    let asked = query.asked((app.clock)())?;
    let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
    Answer::json(StatusCode::OK, &page(&mut tx, None, asked).await?)
}
