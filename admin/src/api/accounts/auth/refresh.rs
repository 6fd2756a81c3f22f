//! `POST /v1/auth/refresh`.

use axum::extract::State;

use super::model::{Refresh, answer};
use crate::accounts::{Tokens, refresh};
use crate::app::App;
use crate::http::answer::Answer;
use crate::http::problem::Problem;
use crate::http::problem::rights::INVALID_TOKEN;
use crate::http::visitor::VisitorBody;

/// Renews the tokens of a session.
///
/// A refresh token works once. If the answer was lost, the request may be repeated for 10 seconds,
/// and gets the same refresh token. A token that comes again later may have been stolen: it ends
/// the session.
#[utoipa::path(post, path = "/v1/auth/refresh",
    operation_id = "refreshSession", tag = "Login", request_body = Refresh,
    responses(
        (status = 200, description = "The next tokens of the session.", body = Tokens)))]
pub(super) async fn refresh(
    State(app): State<App>,
    posted: VisitorBody<Refresh>,
) -> Result<Answer, Problem> {
    let token = posted.body.token().ok_or(&INVALID_TOKEN)?;
    answer(&refresh::exchange(&app, &posted.visitor, &token).await?)
}
