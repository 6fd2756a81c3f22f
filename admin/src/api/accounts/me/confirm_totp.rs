//! `POST /v1/me/totp/confirm`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use store::totp;

use super::model::{Confirmation, RecoveryCodes, person};
use crate::accounts::second_factor::{Proof, recovery_codes};
use crate::app::App;
use crate::http::answer::Answer;
use crate::http::extract::PostBody;
use crate::http::problem::Problem;
use crate::http::problem::accounts::FACTOR_EXISTS;
use crate::http::problem::request::NOT_FOUND;
use crate::identity::totp::step_of;

/// Confirms a second factor.
///
/// From now on each login asks for a code. The recovery codes are in this answer and nowhere else;
/// keep them.
#[utoipa::path(post, path = "/v1/me/totp/confirm", operation_id = "confirmTotp", tag = "Account",
    request_body = Confirmation, responses(
        (status = 200, description = "The recovery codes.", body = RecoveryCodes),
        (status = 404, description = "None was set up.")))]
pub(super) async fn confirm(
    State(app): State<App>,
    post: PostBody<Confirmation>,
) -> Result<Response, Problem> {
    let PostBody { caller, body, once } = post;
    let (id, _) = person(&caller)?;
    let now = (app.clock)();
    let attempt = Proof::begin(&app, &caller.actor(), id, now).await?;
    let mut tx = app.store.platform(&caller.actor()).await?;
    if let Some(answer) = once.replay(&mut tx).await? {
        return Ok(answer);
    }
    let factor = totp::lock(&mut tx, app.secrets.as_deref(), id).await?.ok_or(&NOT_FOUND)?;
    if factor.confirmed_at.is_some() {
        return Err(FACTOR_EXISTS.problem());
    }
    let step = step_of(&factor.secret.0, &body.code, now, factor.last_step);
    let step =
        step.ok_or_else(|| Problem::field("code", "is not the code of the authenticator"))?;
    let (shown, kept): (Vec<_>, Vec<_>) = recovery_codes(id)?.into_iter().unzip();
    totp::use_step(&mut tx, id, step).await?;
    totp::confirm(&mut tx, id, &kept, now).await?;
    attempt.forgive(&mut tx).await?;
    let shown = RecoveryCodes { recovery_codes: shown };
    once.finish(tx, Answer { secret: true, ..Answer::json(StatusCode::OK, &shown)? }).await
}
