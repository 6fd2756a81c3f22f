//! `GET /v1/me`.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use store::account;

use super::model::{Me, person};
use crate::app::App;
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::problem::Problem;

/// Gets the account that has logged in.
#[utoipa::path(get, path = "/v1/me", operation_id = "getMe", tag = "Account",
    responses((status = 200, description = "The account.", body = Me)))]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (account, _) = person(&caller)?;
    let mut tx = app.store.platform(&caller.actor()).await?;
    let me = Me::from(account::get(&mut tx, account).await?);
    Ok(Answer::object(&me)?.unless_known(&headers))
}
