//! `POST /v1/auth/password-reset`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use store::account::canonical_email;
use store::attempt;

use super::model::Address;
use crate::accounts::attempts::Try;
use crate::app::App;
use crate::http::problem::Problem;
use crate::http::visitor::VisitorBody;
use crate::mail::Letter;

/// Letters to one address in a quarter of an hour.
const PER_EMAIL: i32 = 3;
/// Requests of one source in a quarter of an hour.
const PER_SOURCE: i32 = 30;

/// Asks for another password.
///
/// If the address has an account, a token is sent to it. The answer and its work are the same if it
/// has none.
#[utoipa::path(
    post,
    path = "/v1/auth/password-reset",
    operation_id = "requestPasswordReset",
    tag = "Login",
    request_body = Address,
    responses(
        (status = 202, description = "If there is such an account, an e-mail is on its way."),
    ),
)]
pub(super) async fn request(
    State(app): State<App>,
    posted: VisitorBody<Address>,
) -> Result<Response, Problem> {
    let VisitorBody { visitor, body } = posted;
    body.check()?;
    let now = (app.clock)();
    let email = canonical_email(&body.email);
    let source =
        visitor.source.map(|source| attempt::network_of(source).to_string()).unwrap_or_default();
    let mut tx = app.store.platform(&visitor.nobody()).await?;
    Try::of_kind(&mut tx, "reset", &email, PER_EMAIL, now).await?;
    Try::of_kind(&mut tx, "reset_source", &source, PER_SOURCE, now).await?;
    app.outbox.put(&mut tx, &Letter::ResetRequest { email }, now).await?;
    tx.commit().await?;
    Ok(StatusCode::ACCEPTED.into_response())
}
