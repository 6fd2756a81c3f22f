//! `PATCH /v1/cells/{cell_name}`.

use axum::extract::State;
use store::cell;

use super::model::{Cell, CellChanges, CellPath};
use crate::app::App;
use crate::http::answer::Answer;
use crate::http::extract::{IdPath, PatchBody};
use crate::http::problem::Problem;

/// Changes a cell.
#[utoipa::path(
    patch,
    path = "/v1/cells/{cell_name}",
    operation_id = "updateCell",
    tag = "Cells",
    params(CellPath),
    request_body = CellChanges,
    responses((status = 200, description = "The cell as it is now.", body = Cell)),
)]
pub(super) async fn update(
    State(app): State<App>,
    IdPath(at): IdPath<CellPath>,
    patch: PatchBody<CellChanges>,
) -> Result<Answer, Problem> {
    let description = patch.body.checked()?;
    let mut tx = app.store.platform(&patch.caller.actor()).await?;
    let cell =
        cell::update(&mut tx, &at.cell_name, description.as_deref(), patch.expected.0).await?;
    tx.commit().await?;
    Answer::object(&Cell::from(cell))
}
