//! `POST /v1/platform-plans`.

use axum::extract::State;
use axum::response::Response;
use store::platform_plan;

use super::model::{NewPlatformPlan, PlatformPlan};
use crate::app::App;
use crate::http::answer::Answer;
use crate::http::extract::PostBody;
use crate::http::problem::Problem;

/// Makes a platform plan.
///
/// No tenant has it yet: that is a change of the tenants.
#[utoipa::path(
    post,
    path = "/v1/platform-plans",
    operation_id = "createPlatformPlan",
    tag = "Platform plans",
    request_body(
        content = NewPlatformPlan,
        examples(
            ("business" = (
                summary = "A plan with limits of everything",
                value = json!({
                    "name": "Business",
                    "limits": {
                        "sites": 10,
                        "routes": 1000,
                        "keys": 10000,
                        "members": 50,
                        "config_bytes": 1000000,
                        "requests_per_second": 500,
                        "requests_per_month": 10000000
                    }
                }),
            )),
        ),
    ),
    responses((status = 201, description = "The plan.", body = PlatformPlan)),
)]
pub(super) async fn create(
    State(app): State<App>,
    post: PostBody<NewPlatformPlan>,
) -> Result<Response, Problem> {
    let (name, limits) = post.body.checked()?;
    let mut tx = app.store.platform(&post.caller.actor()).await?;
    if let Some(answer) = post.once.replay(&mut tx).await? {
        return Ok(answer);
    }
    let plan = PlatformPlan::from(platform_plan::create(&mut tx, &name, limits).await?);
    let place = format!("/v1/platform-plans/{}", plan.id);
    post.once.finish(tx, Answer::created(place, &plan)?).await
}
