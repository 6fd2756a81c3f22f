//! `POST /v1/me/erasure`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use store::account;
use utoipa::ToSchema;

use super::model::person;
use crate::accounts::reauthenticate;
use crate::app::App;
use crate::http::answer::Answer;
use crate::http::extract::PostBody;
use crate::http::problem::Problem;
use crate::identity::password::Password;

/// The password, before the account is erased.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Erasure {
    /// The password of the account.
    #[schema(value_type = String, format = Password, min_length = 1, max_length = 1024)]
    password: Password,
}

/// What is left of an account.
#[derive(Debug, Serialize, ToSchema)]
struct Erased {
    /// When it was erased.
    erased_at: DateTime<Utc>,
}

/// Erases the account.
///
/// The person is taken out of all tenants, all sessions end, and address, name, password and
/// factors are gone. What the person has made in tenants stays theirs; and audit logs go on saying
/// who did what. Who is the last Admin of a tenant makes another member one first, or closes the
/// tenant and waits until it is erased.
#[utoipa::path(post, path = "/v1/me/erasure", operation_id = "eraseMe", tag = "Account",
    request_body = Erasure, responses((status = 200, description = "It is gone.", body = Erased)))]
pub(super) async fn erase(
    State(app): State<App>,
    post: PostBody<Erasure>,
) -> Result<Response, Problem> {
    let PostBody { caller, body, once } = post;
    let (id, _) = person(&caller)?;
    let found = reauthenticate::authenticate(&app, &caller, id, "password", body.password).await?;
    let mut tx = app.store.platform(&caller.actor()).await?;
    if let Some(answer) = once.replay(&mut tx).await? {
        return Ok(answer);
    }
    account::erase(&mut tx, id, found.password.as_ref()).await?;
    let answer = Answer::json(StatusCode::OK, &Erased { erased_at: (app.clock)() })?;
    once.finish(tx, answer).await
}
