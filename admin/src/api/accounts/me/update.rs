//! `PATCH /v1/me`.

use axum::extract::State;
use store::account;

use super::model::{Me, MyChanges, person};
use crate::app::App;
use crate::forms::check::Check;
use crate::http::answer::Answer;
use crate::http::extract::PatchBody;
use crate::http::problem::Problem;

/// Changes the account that has logged in.
#[utoipa::path(
    patch,
    path = "/v1/me",
    operation_id = "updateMe",
    tag = "Account",
    request_body = MyChanges,
    responses((status = 200, description = "The account as it is now.", body = Me)),
)]
pub(super) async fn update(
    State(app): State<App>,
    patch: PatchBody<MyChanges>,
) -> Result<Answer, Problem> {
    let (account, _) = person(&patch.caller)?;
    let mut check = Check::new();
    if let Some(name) = &patch.body.name {
        check.name("name", name);
    }
    check.finish()?;
    let mut tx = app.store.platform(&patch.caller.actor()).await?;
    let name = match patch.body.name {
        Some(name) => name,
        None => account::get(&mut tx, account).await?.name,
    };
    let me =
        Me::from(account::rename(&mut tx, account, &name, patch.expected.0, (app.clock)()).await?);
    tx.commit().await?;
    Answer::object(&me)
}
