//! `POST /v1/signup/verify`.

use axum::extract::State;
use axum::http::StatusCode;
use store::signup;

use super::model::{Outcome, Proof};
use crate::accounts::provision::{Made, is_slug_taken, provision, slug};
use crate::app::App;
use crate::http::answer::Answer;
use crate::http::problem::Problem;
use crate::http::problem::accounts::SIGNUP_CLOSED;
use crate::http::problem::request::INTERNAL;
use crate::http::visitor::{Visitor, VisitorBody};
use crate::secret::EmailToken;
use crate::signup::{Mode, WAITING_KEPT};

/// Proves the address of a sign-up, with the token of the e-mail.
///
/// The account, the tenant with the person as its Admin, and the first site are made at once; or
/// the sign-up waits for an operator.
#[utoipa::path(post, path = "/v1/signup/verify",
    operation_id = "verifySignUp", tag = "Sign-up", request_body = Proof,
    responses((status = 200, description = "The objects that were made.", body = Outcome)))]
pub(super) async fn verify(
    State(app): State<App>,
    posted: VisitorBody<Proof>,
) -> Result<Answer, Problem> {
    let VisitorBody { visitor, body } = posted;
    let digest = EmailToken::parse(&body.token).ok_or_else(none)?.digest();
    let outcome = match app.signup {
        Mode::Closed => return Err(SIGNUP_CLOSED.problem()),
        Mode::Approval => {
            let now = (app.clock)();
            let mut tx = app.store.platform(&visitor.nobody()).await?;
            let held = signup::by_token(&mut tx, &digest, now).await?.ok_or_else(none)?;
            signup::wait(&mut tx, &held, WAITING_KEPT, now).await?;
            tx.commit().await?;
            Outcome { waiting: true, made: None }
        }
        Mode::Open => {
            let made = match make(&app, &visitor, &digest, false).await {
                Err(problem) if is_slug_taken(&problem) => {
                    make(&app, &visitor, &digest, true).await?
                }
                made => made?,
            };
            Outcome { waiting: false, made: Some(made) }
        }
    };
    Answer::json(StatusCode::OK, &outcome)
}

async fn make(
    app: &App,
    visitor: &Visitor,
    digest: &[u8; 32],
    is_taken: bool,
) -> Result<Made, Problem> {
    let now = (app.clock)();
    let mut tx = app.store.platform(&visitor.nobody()).await?;
    let held = signup::by_token(&mut tx, digest, now).await?.ok_or_else(none)?;
    let wish = serde_json::from_value(held.wish.clone()).map_err(|_| &INTERNAL)?;
    let (tx, made) = provision(app, tx, &held, slug(&wish, held.id, is_taken), now).await?;
    tx.commit().await?;
    Ok(made)
}

fn none() -> Problem {
    Problem::field("token", "is not, or no longer, good; sign up again")
}
