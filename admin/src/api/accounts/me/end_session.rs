//! `DELETE /v1/me/sessions/{session_id}`.

use axum::extract::State;
use axum::response::Response;
use store::session;

use super::model::person;
use crate::app::App;
use crate::forms::ids::SessionPath;
use crate::http::answer::no_content;
use crate::http::caller::Caller;
use crate::http::extract::IdPath;
use crate::http::problem::Problem;

/// Ends a session of the account.
///
/// Its tokens are refused from now on. A session that has ended stays as it is.
#[utoipa::path(
    delete,
    path = "/v1/me/sessions/{session_id}",
    operation_id = "endSession",
    tag = "Account",
    params(SessionPath),
    responses((status = 204, description = "It has ended.")),
)]
pub(super) async fn end(
    State(app): State<App>,
    IdPath(at): IdPath<SessionPath>,
    caller: Caller,
) -> Result<Response, Problem> {
    let (account, _) = person(&caller)?;
    let mut tx = app.store.platform(&caller.actor()).await?;
    session::revoke(&mut tx, account, at.session_id, "session.revoke", (app.clock)()).await?;
    tx.commit().await?;
    Ok(no_content())
}
