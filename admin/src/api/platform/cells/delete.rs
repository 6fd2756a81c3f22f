//! `DELETE /v1/cells/{cell_name}`.

use axum::extract::State;
use axum::response::Response;
use store::cell;

use super::model::CellPath;
use crate::app::App;
use crate::http::answer::no_content;
use crate::http::caller::Caller;
use crate::http::extract::{Expected, IdPath};
use crate::http::problem::Problem;

/// Removes a cell on which no tenant is placed.
///
/// The cell `default` is for the tenants to come, and stays.
#[utoipa::path(
    delete,
    path = "/v1/cells/{cell_name}",
    operation_id = "deleteCell",
    tag = "Cells",
    params(CellPath),
    responses((status = 204, description = "It is gone.")),
)]
pub(super) async fn delete(
    State(app): State<App>,
    IdPath(at): IdPath<CellPath>,
    caller: Caller,
    expected: Expected,
) -> Result<Response, Problem> {
    let mut tx = app.store.platform(&caller.actor()).await?;
    cell::delete(&mut tx, &at.cell_name, expected.0).await?;
    tx.commit().await?;
    Ok(no_content())
}
