//! `GET /v1/auth/jwks`.

use axum::extract::State;
use axum::http::StatusCode;

use super::model::Jwks;
use crate::app::App;
use crate::http::answer::Answer;
use crate::http::problem::Problem;

/// Gets the keys that verify access tokens, as a JWK Set.
///
/// A key signs for a day, and stays here until its last token is over. Read the set again when a
/// token names a key that is not in it.
#[utoipa::path(get, path = "/v1/auth/jwks",
    operation_id = "getAccessTokenKeys", tag = "Login",
    responses((status = 200, description = "The keys.", body = Jwks)))]
pub(super) async fn jwks(State(app): State<App>) -> Result<Answer, Problem> {
    Answer::json(StatusCode::OK, &Jwks { keys: app.access_tokens.jwks((app.clock)()).await? })
}
