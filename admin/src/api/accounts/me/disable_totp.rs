//! `POST /v1/me/totp/disable`.

use axum::extract::State;
use axum::response::Response;
use store::totp;

use super::model::{FactorRemoval, Me, person};
use crate::accounts::reauthenticate;
use crate::accounts::second_factor::Proof;
use crate::app::App;
use crate::http::answer::Answer;
use crate::http::extract::PostBody;
use crate::http::problem::Problem;

/// Takes the second factor away.
///
/// It needs the password, and a code or a recovery code. The recovery codes end with it.
#[utoipa::path(
    post,
    path = "/v1/me/totp/disable",
    operation_id = "disableTotp",
    tag = "Account",
    request_body = FactorRemoval,
    responses((status = 200, description = "The account as it is now.", body = Me)),
)]
pub(super) async fn disable(
    State(app): State<App>,
    post: PostBody<FactorRemoval>,
) -> Result<Response, Problem> {
    let PostBody { caller, body, once } = post;
    let (id, _) = person(&caller)?;
    let now = (app.clock)();
    reauthenticate::authenticate(&app, &caller, id, "password", body.password).await?;
    let attempt = Proof::begin(&app, &caller.actor(), id, now).await?;
    let mut tx = app.store.platform(&caller.actor()).await?;
    if let Some(answer) = once.replay(&mut tx).await? {
        return Ok(answer);
    }
    let field = if body.recovery_code.is_some() { "recovery_code" } else { "code" };
    let proof = Proof { code: body.code, recovery_code: body.recovery_code };
    if !proof.take(&app, &mut tx, id, now).await? {
        return Err(Problem::field(field, "is not one that is good now"));
    }
    attempt.forgive(&mut tx).await?;
    let me = Me::from(totp::disable(&mut tx, id, now).await?);
    once.finish(tx, Answer::object(&me)?).await
}
