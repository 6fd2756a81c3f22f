//! `POST /v1/tenants/{tenant_id}/sites/{site_id}/plans`.

use axum::extract::State;
use axum::response::Response;
use store::plan;

use super::{NewPlan, Plan};
use crate::answer::Answer;
use crate::app::App;
use crate::extract::{At, Post};
use crate::problem::Problem;
use crate::routes::ids::SitePath;

/// Makes a plan.
///
/// Consumers subscribe to it by their `plan_id`.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/sites/{site_id}/plans",
    operation_id = "createPlan", tag = "Plans", params(SitePath),
    request_body = NewPlan, responses((status = 201, description = "The plan.", body = Plan)))]
pub(super) async fn create(
    State(app): State<App>,
    At(at): At<SitePath>,
    post: Post<NewPlan>,
) -> Result<Response, Problem> {
    let new = post.body.checked()?;
    let mut tx = app.store.tenant(at.tenant_id, &post.caller.actor()).await?;
    if let Some(answer) = post.once.replay(&mut tx).await? {
        return Ok(answer);
    }
    let plan = Plan::from(plan::create(&mut tx, at.site_id, new).await?);
    let place = format!("{}/plans/{}", at.place(), plan.id);
    post.once.finish(tx, Answer::created(place, &plan)?).await
}
