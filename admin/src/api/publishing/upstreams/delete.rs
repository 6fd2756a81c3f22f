//! `DELETE /v1/tenants/{tenant_id}/sites/{site_id}/upstreams/{upstream_id}`.

use axum::extract::State;
use axum::response::Response;
use store::StoreError;
use store::upstream::{self, UpstreamUser};

use crate::app::App;
use crate::forms::ids::UpstreamPath;
use crate::http::answer::no_content;
use crate::http::caller::Caller;
use crate::http::extract::{Expected, IdPath};
use crate::http::problem::Problem;

/// The users of the upstream that the refusal names: enough to begin with.
const USERS_NAMED: u32 = 5;

/// Removes an upstream that no version and no route uses.
#[utoipa::path(delete, path = "/v1/tenants/{tenant_id}/sites/{site_id}/upstreams/{upstream_id}",
    operation_id = "deleteUpstream", tag = "Upstreams", params(UpstreamPath),
    responses((status = 204, description = "It is gone.")))]
pub(crate) async fn delete(
    State(app): State<App>,
    IdPath(at): IdPath<UpstreamPath>,
    caller: Caller,
    expected: Expected,
) -> Result<Response, Problem> {
    let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
    match upstream::delete(&mut tx, at.site_id, at.upstream_id, expected.0).await {
        Err(StoreError::InUse { what, by }) => {
            // The refusal has ended the transaction. One at a time: each takes a place.
            drop(tx);
            let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
            let users = upstream::users(&mut tx, at.site_id, at.upstream_id, USERS_NAMED).await?;
            return Err(in_use(what, by, &users));
        }
        other => other?,
    }
    tx.commit().await?;
    Ok(no_content())
}

fn in_use(what: &'static str, by: &'static str, users: &[UpstreamUser]) -> Problem {
    let named: Vec<_> = users
        .iter()
        .map(|user| format!("the {} `{}` ({})", user.kind, user.name, user.id))
        .collect();
    let by = if named.is_empty() { format!("a {by}") } else { named.join(", ") };
    Problem::in_use(what, &by)
}
