//! `GET /v1/cells`.

use axum::extract::State;
use axum::http::StatusCode;
use store::cell;

use super::model::Cell;
use crate::app::App;
use crate::forms::page::{Page, PageQuery};
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::StrictQuery;
use crate::http::problem::Problem;

/// Lists the cells.
#[utoipa::path(
    get,
    path = "/v1/cells",
    operation_id = "listCells",
    tag = "Cells",
    params(PageQuery),
    responses((status = 200, description = "A page of cells.", body = Page<Cell>)),
)]
pub(super) async fn list(
    State(app): State<App>,
    StrictQuery(query): StrictQuery<PageQuery>,
    caller: Caller,
) -> Result<Answer, Problem> {
    let wanted = query.wanted()?;
    let mut tx = app.store.platform(&caller.actor()).await?;
    let rows = cell::list(&mut tx, wanted.rows()).await?;
    let page: Page<Cell> = wanted.page(rows, |row| row.id);
    Answer::json(StatusCode::OK, &page)
}
