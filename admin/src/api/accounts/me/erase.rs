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

/// The remains of an account.
#[derive(Debug, Serialize, ToSchema)]
struct Erased {
    /// The time of the erasure.
    erased_at: DateTime<Utc>,
}

/// Erases the account.
///
/// The person leaves all tenants, all sessions end, and address, name, password and factors are
/// erased. Objects that the person made in tenants stay, and audit logs keep their entries. The
/// last Admin of a tenant has to make another member an Admin first, or close the tenant and wait
/// until it is erased.
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
