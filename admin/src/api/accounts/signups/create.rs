//! `POST /v1/signup`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use store::account::canonical_email;
use store::{attempt, signup};

use super::model::NewSignup;
use crate::accounts::attempts::Try;
use crate::app::App;
use crate::http::problem::Problem;
use crate::http::problem::accounts::SIGNUP_CLOSED;
use crate::http::problem::request::INTERNAL;
use crate::http::visitor::VisitorBody;
use crate::mail::Letter;
use crate::signup::{Mode, UNPROVEN_KEPT, Wish};

/// Sign-ups for one address, and requests of one source, in a quarter of an hour.
const PER_EMAIL: i32 = 3;
const PER_SOURCE: i32 = 10;

/// Signs an organisation up.
///
/// A token is sent to the address; nothing is made before it comes back. The answer and its work
/// are the same if the address has an account already.
#[utoipa::path(post, path = "/v1/signup",
    operation_id = "signUp", tag = "Sign-up", request_body = NewSignup,
    responses((status = 202, description = "An e-mail is on its way.")))]
pub(super) async fn create(
    State(app): State<App>,
    posted: VisitorBody<NewSignup>,
) -> Result<Response, Problem> {
    let VisitorBody { visitor, body } = posted;
    if app.signup == Mode::Closed {
        return Err(SIGNUP_CLOSED.problem());
    }
    body.check(&app)?;
    let now = (app.clock)();
    let email = canonical_email(&body.email);
    let source =
        visitor.source.map(|source| attempt::network_of(source).to_string()).unwrap_or_default();
    let mut tx = app.store.platform(&visitor.nobody()).await?;
    Try::of_kind(&mut tx, "signup", &email, PER_EMAIL, now).await?;
    Try::of_kind(&mut tx, "signup_source", &source, PER_SOURCE, now).await?;
    tx.commit().await?;
    app.passwords
        .check("password", &body.password, &[&email, &body.name, &body.organisation])
        .await?;
    let password = app.passwords.hash(body.password).await?;
    let wish = Wish {
        organisation: body.organisation,
        site_slug: body.site_slug,
        template: body.template,
        origin: body.origin,
    };
    let wish = serde_json::to_value(wish).map_err(|_| &INTERNAL)?;
    let new = signup::NewSignup { email, name: body.name, password, wish };
    let mut tx = app.store.platform(&visitor.nobody()).await?;
    let made = signup::create(&mut tx, new, UNPROVEN_KEPT, now).await?;
    app.outbox.put(&mut tx, &Letter::Signup { id: made.id }, now).await?;
    tx.commit().await?;
    Ok(StatusCode::ACCEPTED.into_response())
}
