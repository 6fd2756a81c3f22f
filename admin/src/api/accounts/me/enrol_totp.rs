//! `POST /v1/me/totp`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use policy::desired::Secret;
use store::totp;

use super::model::{FactorSecret, NewFactor, person};
use crate::accounts::reauthenticate;
use crate::app::App;
use crate::http::answer::Answer;
use crate::http::extract::PostBody;
use crate::http::problem::Problem;
use crate::identity::totp as codes;
use crate::secret;

/// Begins to set up a second factor.
///
/// The secret is in this answer and nowhere else: give it to an authenticator, and confirm it with
/// a code. Until then nothing changes.
#[utoipa::path(
    post,
    path = "/v1/me/totp",
    operation_id = "enrolTotp",
    tag = "Account",
    request_body = NewFactor,
    responses((status = 200, description = "The secret.", body = FactorSecret)),
)]
pub(super) async fn enrol(
    State(app): State<App>,
    post: PostBody<NewFactor>,
) -> Result<Response, Problem> {
    let PostBody { caller, body, once } = post;
    let (id, _) = person(&caller)?;
    let found = reauthenticate::authenticate(&app, &caller, id, "password", body.password).await?;
    let secret = secret::random::<{ codes::SECRET_BYTES }>()?;
    let mut tx = app.store.platform(&caller.actor()).await?;
    if let Some(answer) = once.replay(&mut tx).await? {
        return Ok(answer);
    }
    totp::enrol(&mut tx, app.secrets.as_deref(), id, &Secret(secret.to_vec()), (app.clock)())
        .await?;
    let shown = FactorSecret {
        secret: codes::base32(&secret),
        uri: codes::uri(&found.account.email, &secret),
    };
    once.finish(tx, Answer { secret: true, ..Answer::json(StatusCode::OK, &shown)? }).await
}
