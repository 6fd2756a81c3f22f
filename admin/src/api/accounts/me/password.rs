//! `PATCH /v1/me/password`.

use axum::extract::State;
use axum::response::Response;
use store::{StoreError, account, session};

use super::model::{PasswordChange, person};
use crate::accounts::reauthenticate;
use crate::app::App;
use crate::http::answer::no_content;
use crate::http::extract::PatchBody;
use crate::http::problem::Problem;

/// Chooses another password.
///
/// All other sessions of the account end.
#[utoipa::path(patch, path = "/v1/me/password", operation_id = "changePassword", tag = "Account",
    request_body = PasswordChange, responses((status = 204, description = "It is changed.")))]
pub(super) async fn change(
    State(app): State<App>,
    patch: PatchBody<PasswordChange>,
) -> Result<Response, Problem> {
    let PatchBody { caller, body, expected } = patch;
    let (id, session) = person(&caller)?;
    let found =
        reauthenticate::authenticate(&app, &caller, id, "current_password", body.current_password)
            .await?;
    let known = [found.account.email.as_str(), found.account.name.as_str()];
    app.passwords.check("new_password", &body.new_password, &known).await?;
    let hash = app.passwords.hash(body.new_password).await?;
    let now = (app.clock)();
    let mut tx = app.store.platform(&caller.actor()).await?;
    let locked = account::lock(&mut tx, id).await?;
    let current = locked.account.revision;
    // It was changed meanwhile: the proven password is out of date.
    if locked.password != found.password || expected.0.is_some_and(|expected| expected != current) {
        return Err(StoreError::Revision { current }.into());
    }
    account::set_password(&mut tx, id, &hash, "account.password_change", now).await?;
    session::revoke_all(&mut tx, id, Some(session), now).await?;
    tx.commit().await?;
    Ok(no_content())
}
