//! `POST /v1/cells`.

use axum::extract::State;
use axum::response::Response;
use store::cell;

use super::model::{Cell, NewCell};
use crate::app::App;
use crate::http::answer::Answer;
use crate::http::extract::PostBody;
use crate::http::problem::Problem;

/// Makes a cell.
///
/// Nobody is placed on it yet: that is a change of the tenants.
#[utoipa::path(post, path = "/v1/cells", operation_id = "createCell", tag = "Cells",
    request_body = NewCell, responses((status = 201, description = "The cell.", body = Cell)))]
pub(super) async fn create(
    State(app): State<App>,
    post: PostBody<NewCell>,
) -> Result<Response, Problem> {
    let (name, description) = post.body.checked()?;
    let mut tx = app.store.platform(&post.caller.actor()).await?;
    if let Some(answer) = post.once.replay(&mut tx).await? {
        return Ok(answer);
    }
    let cell = Cell::from(cell::create(&mut tx, &name, &description).await?);
    let place = format!("/v1/cells/{}", cell.name);
    post.once.finish(tx, Answer::created(place, &cell)?).await
}
