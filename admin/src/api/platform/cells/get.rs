//! `GET /v1/cells/{cell_name}`.

use axum::extract::State;
use store::cell;

use super::model::{Cell, CellPath};
use crate::app::App;
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::IdPath;
use crate::http::problem::Problem;

/// Gets a cell.
#[utoipa::path(
    get,
    path = "/v1/cells/{cell_name}",
    operation_id = "getCell",
    tag = "Cells",
    params(CellPath),
    responses((status = 200, description = "The cell.", body = Cell)),
)]
pub(super) async fn get(
    State(app): State<App>,
    IdPath(at): IdPath<CellPath>,
    caller: Caller,
) -> Result<Answer, Problem> {
    let mut tx = app.store.platform(&caller.actor()).await?;
    // The number of tenants is no part of the revision, so it is sent even if the client has the
    // revision.
    Answer::object(&Cell::from(cell::get(&mut tx, &at.cell_name).await?))
}
