//! `POST /v1/auth/logout`.

use axum::extract::State;
use axum::response::Response;
use store::session;

use super::model::Refresh;
use crate::app::App;
use crate::http::answer::no_content;
use crate::http::problem::Problem;
use crate::http::visitor::VisitorBody;

/// Ends the session of a refresh token.
///
/// Its access tokens end with it. A token that is unknown, or whose session has ended, gets the
/// same answer.
#[utoipa::path(post, path = "/v1/auth/logout",
    operation_id = "logout", tag = "Login", request_body = Refresh,
    responses((status = 204, description = "The session has ended.")))]
pub(super) async fn logout(
    State(app): State<App>,
    posted: VisitorBody<Refresh>,
) -> Result<Response, Problem> {
    if let Some(token) = posted.body.token() {
        let mut tx = app.store.platform(&posted.visitor.nobody()).await?;
        session::end(&mut tx, &token.digest(), (app.clock)()).await?;
        tx.commit().await?;
    }
    Ok(no_content())
}
