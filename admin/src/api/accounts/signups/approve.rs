//! `POST /v1/signups/{signup_id}/approve`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use store::{StoreError, signup};
use utoipa::ToSchema;

use super::model::Outcome;
use crate::accounts::provision::{is_slug_taken, provision, slug};
use crate::app::App;
use crate::forms::ids::SignupPath;
use crate::http::answer::Answer;
use crate::http::extract::{IdPath, PostBody};
use crate::http::problem::Problem;
use crate::http::problem::request::INTERNAL;

/// Nothing.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Approval {}

/// Approves a sign-up that waits.
///
/// The account, the tenant and the first site are made at once.
#[utoipa::path(
    post,
    path = "/v1/signups/{signup_id}/approve",
    operation_id = "approveSignUp",
    tag = "Sign-up",
    params(SignupPath),
    request_body = Approval,
    responses((status = 200, description = "The objects that were made.", body = Outcome)),
)]
pub(super) async fn approve(
    State(app): State<App>,
    IdPath(at): IdPath<SignupPath>,
    post: PostBody<Approval>,
) -> Result<Response, Problem> {
    let now = (app.clock)();
    let mut is_taken = false;
    loop {
        let mut tx = app.store.platform(&post.caller.actor()).await?;
        if let Some(answer) = post.once.replay(&mut tx).await? {
            return Ok(answer);
        }
        let held = signup::lock(&mut tx, at.signup_id).await?;
        if held.waiting_since.is_none() {
            return Err(StoreError::NotFound { what: "sign-up" }.into());
        }
        let wish = serde_json::from_value(held.wish.clone()).map_err(|_| &INTERNAL)?;
        match provision(&app, tx, &held, slug(&wish, held.id, is_taken), now).await {
            Err(problem) if is_slug_taken(&problem) && !is_taken => is_taken = true,
            Err(problem) => return Err(problem),
            Ok((tx, made)) => {
                let outcome = Outcome { waiting: false, made: Some(made) };
                return post.once.finish(tx, Answer::json(StatusCode::OK, &outcome)?).await;
            }
        }
    }
}
