//! `GET /v1/signups`.

use axum::extract::State;
use axum::http::StatusCode;
use store::signup;

use super::model::Signup;
use crate::app::App;
use crate::forms::page::{Page, PageQuery};
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::StrictQuery;
use crate::http::problem::Problem;

/// Lists the sign-ups that wait for an operator.
#[utoipa::path(
    get,
    path = "/v1/signups",
    operation_id = "listSignUps",
    tag = "Sign-up",
    params(PageQuery),
    responses((status = 200, description = "A page of sign-ups.", body = Page<Signup>)),
)]
pub(super) async fn list(
    State(app): State<App>,
    StrictQuery(query): StrictQuery<PageQuery>,
    caller: Caller,
) -> Result<Answer, Problem> {
    let wanted = query.wanted()?;
    let mut tx = app.store.platform(&caller.actor()).await?;
    let rows = signup::list_waiting(&mut tx, wanted.rows()).await?;
    let page: Page<Signup> = wanted.page(rows, |row| row.id);
    Answer::json(StatusCode::OK, &page)
}
