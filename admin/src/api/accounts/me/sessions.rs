//! `GET /v1/me/sessions`.

use axum::extract::State;
use axum::http::StatusCode;
use store::session;

use super::model::{Seen, Session, person};
use crate::app::App;
use crate::forms::page::{Page, PageQuery};
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::StrictQuery;
use crate::http::problem::Problem;

/// Lists the sessions of the account that have not ended.
#[utoipa::path(
    get,
    path = "/v1/me/sessions",
    operation_id = "listSessions",
    tag = "Account",
    params(PageQuery),
    responses((status = 200, description = "A page of sessions.", body = Page<Session>)),
)]
pub(super) async fn list(
    State(app): State<App>,
    StrictQuery(query): StrictQuery<PageQuery>,
    caller: Caller,
) -> Result<Answer, Problem> {
    let (account, current) = person(&caller)?;
    let wanted = query.wanted()?;
    let mut tx = app.store.platform(&caller.actor()).await?;
    let rows = session::list(&mut tx, account, wanted.rows(), (app.clock)()).await?;
    let rows = rows.into_iter().map(|row| Seen(row.clone(), row.id == current)).collect();
    let page: Page<Session> = wanted.page(rows, |row: &Seen| row.0.id);
    Answer::json(StatusCode::OK, &page)
}
