//! `DELETE /v1/tenants/{tenant_id}/sites/{site_id}/plans/{plan_id}`.

use axum::extract::State;
use axum::response::Response;
use store::StoreError;
use store::plan::{self, PlanUser};

use crate::app::App;
use crate::forms::ids::PlanPath;
use crate::http::answer::no_content;
use crate::http::caller::Caller;
use crate::http::extract::{Expected, IdPath};
use crate::http::problem::Problem;

/// The consumers that the refusal names: enough to begin with.
const USERS_NAMED: u32 = 5;

/// Removes a plan that no consumer has.
#[utoipa::path(delete, path = "/v1/tenants/{tenant_id}/sites/{site_id}/plans/{plan_id}",
    operation_id = "deletePlan", tag = "Plans", params(PlanPath),
    responses((status = 204, description = "It is gone.")))]
pub(super) async fn delete(
    State(app): State<App>,
    IdPath(at): IdPath<PlanPath>,
    caller: Caller,
    expected: Expected,
) -> Result<Response, Problem> {
    let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
    match plan::delete(&mut tx, at.site_id, at.plan_id, expected.0).await {
        Err(StoreError::InUse { what, by }) => {
            // The refusal has ended the transaction. One at a time: each takes a place.
            drop(tx);
            let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
            let users = plan::users(&mut tx, at.site_id, at.plan_id, USERS_NAMED).await?;
            return Err(in_use(what, by, &users));
        }
        other => other?,
    }
    tx.commit().await?;
    Ok(no_content())
}

fn in_use(what: &'static str, by: &'static str, users: &[PlanUser]) -> Problem {
    let named: Vec<_> =
        users.iter().map(|user| format!("the {by} `{}` ({})", user.name, user.id)).collect();
    let by = if named.is_empty() { format!("a {by}") } else { named.join(", ") };
    Problem::in_use(what, &by)
}
