//! `POST /v1/auth/login`.

use axum::extract::State;

use super::model::{Login, answer};
use crate::accounts::second_factor::Proof;
use crate::accounts::{Tokens, login};
use crate::app::App;
use crate::http::answer::Answer;
use crate::http::problem::Problem;
use crate::http::visitor::VisitorBody;

/// Logs in.
///
/// An address without an account is answered like a wrong password. If the password is right and
/// the account has a second factor, the answer is `mfa-required`: repeat the request with `code` or
/// `recovery_code`. Five wrong codes end with 429. Ten failures for an account from one address, or
/// a hundred from one address, end with 429 for a quarter of an hour. Failures from other addresses
/// do not stop an address that has logged in to the account within 30 days.
#[utoipa::path(
    post,
    path = "/v1/auth/login",
    operation_id = "login",
    tag = "Login",
    request_body = Login,
    responses(
        (status = 200, description = "The tokens of a new session.", body = Tokens),
        (
            status = 403,
            description = "The e-mail address is not verified.",
            body = crate::http::problem::ProblemBody,
            content_type = "application/problem+json",
        ),
    ),
)]
pub(super) async fn login(
    State(app): State<App>,
    posted: VisitorBody<Login>,
) -> Result<Answer, Problem> {
    let VisitorBody { visitor, body } = posted;
    body.check()?;
    let proof = Proof { code: body.code, recovery_code: body.recovery_code };
    answer(&login::login(&app, &visitor, &body.email, body.password, &proof).await?)
}
