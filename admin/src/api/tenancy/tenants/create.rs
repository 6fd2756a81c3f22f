//! `POST /v1/tenants`.

use axum::extract::State;
use axum::response::Response;
use store::tenant;

use super::model::{NewTenant, Tenant};
use crate::app::App;
use crate::http::answer::Answer;
use crate::http::extract::PostBody;
use crate::http::problem::Problem;

/// Makes a tenant.
#[utoipa::path(
    post,
    path = "/v1/tenants",
    operation_id = "createTenant",
    tag = "Tenants",
    request_body = NewTenant,
    responses((status = 201, description = "The tenant.", body = Tenant)),
)]
pub(super) async fn create(
    State(app): State<App>,
    post: PostBody<NewTenant>,
) -> Result<Response, Problem> {
    let new = post.body.checked()?;
    let mut tx = app.store.platform(&post.caller.actor()).await?;
    if let Some(answer) = post.once.replay(&mut tx).await? {
        return Ok(answer);
    }
    let tenant = Tenant::from(tenant::create(&mut tx, new).await?);
    let place = format!("/v1/tenants/{}", tenant.id);
    post.once.finish(tx, Answer::created(place, &tenant)?).await
}
