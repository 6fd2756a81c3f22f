//! `POST /v1/auth/password-reset/confirm`.

use axum::extract::State;
use axum::response::Response;
use store::email_token::{self, Purpose};
use store::{account, session};

use super::model::NewPassword;
use crate::app::App;
use crate::http::answer::no_content;
use crate::http::problem::Problem;
use crate::http::visitor::VisitorBody;
use crate::secret::EmailToken;

/// Chooses another password, with the token of the e-mail.
///
/// All sessions of the account end. A second factor stays, and is asked for at the next login.
#[utoipa::path(post, path = "/v1/auth/password-reset/confirm",
    operation_id = "confirmPasswordReset", tag = "Login", request_body = NewPassword,
    responses((status = 204, description = "It is changed.")))]
pub(super) async fn confirm(
    State(app): State<App>,
    posted: VisitorBody<NewPassword>,
) -> Result<Response, Problem> {
    let VisitorBody { visitor, body } = posted;
    let none = || Problem::field("token", "is not, or no longer, good; ask for another e-mail");
    let digest = EmailToken::parse(&body.token).ok_or_else(none)?.digest();
    let now = (app.clock)();
    let mut tx = app.store.platform(&visitor.nobody()).await?;
    let found = email_token::find(&mut tx, Purpose::Reset, &digest, now).await?.ok_or_else(none)?;
    drop(tx);
    app.passwords.check("new_password", &body.new_password, &[&found.email, &found.name]).await?;
    let hash = app.passwords.hash(body.new_password).await?;
    let mut tx = app.store.platform(&visitor.somebody(found.id)).await?;
    // Again, and held this time: it is good once.
    email_token::find(&mut tx, Purpose::Reset, &digest, now).await?.ok_or_else(none)?;
    email_token::spend(&mut tx, found.id, Purpose::Reset, now).await?;
    account::set_password(&mut tx, found.id, &hash, "account.password_reset", now).await?;
    // The token proves that its bearer reads the mail of the address.
    account::verify(&mut tx, found.id, now).await?;
    session::revoke_all(&mut tx, found.id, None, now).await?;
    tx.commit().await?;
    Ok(no_content())
}
