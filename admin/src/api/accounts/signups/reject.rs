//! `DELETE /v1/signups/{signup_id}`.

use axum::extract::State;
use axum::response::Response;
use store::{StoreError, signup};

use crate::app::App;
use crate::forms::ids::SignupPath;
use crate::http::answer::no_content;
use crate::http::caller::Caller;
use crate::http::extract::IdPath;
use crate::http::problem::Problem;

/// Rejects a sign-up that waits.
#[utoipa::path(
    delete,
    path = "/v1/signups/{signup_id}",
    operation_id = "rejectSignUp",
    tag = "Sign-up",
    params(SignupPath),
    responses((status = 204, description = "It is gone.")),
)]
pub(super) async fn reject(
    State(app): State<App>,
    IdPath(at): IdPath<SignupPath>,
    caller: Caller,
) -> Result<Response, Problem> {
    let mut tx = app.store.platform(&caller.actor()).await?;
    let held = signup::lock(&mut tx, at.signup_id).await?;
    if held.waiting_since.is_none() {
        return Err(StoreError::NotFound { what: "sign-up" }.into());
    }
    signup::delete(&mut tx, &held, "signup.reject").await?;
    tx.commit().await?;
    Ok(no_content())
}
