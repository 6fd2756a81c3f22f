//! `POST /v1/tenants/{tenant_id}/sites/{site_id}/plans`.

use axum::extract::State;
use axum::response::Response;
use store::plan;

use super::model::{NewPlan, Plan};
use crate::app::App;
use crate::forms::ids::SitePath;
use crate::http::answer::Answer;
use crate::http::extract::{IdPath, PostBody};
use crate::http::problem::Problem;

/// Makes a plan.
///
/// Consumers subscribe to it by their `plan_id`.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant_id}/sites/{site_id}/plans",
    operation_id = "createPlan",
    tag = "Plans",
    params(SitePath),
    request_body(
        content = NewPlan,
        examples(
            ("gold" = (
                summary = "A rate and a quota for each consumer of the plan",
                value = json!({
                    "name": "Gold plan",
                    "settings": {
                        "limits": [
                            {"name": "gold-rate", "requests": 100, "per": "second", "burst": 200}
                        ],
                        "quotas": [{"name": "gold-month", "requests": 1000000, "per": "month"}]
                    }
                }),
            )),
            ("trial" = (
                summary = "A quota that all consumers of the plan share",
                value = json!({
                    "name": "Trial",
                    "settings": {
                        "quotas": [
                            {"name": "trial-day", "requests": 10000, "per": "day", "by": ["plan"]}
                        ]
                    }
                }),
            )),
        ),
    ),
    responses((status = 201, description = "The plan.", body = Plan)),
)]
pub(super) async fn create(
    State(app): State<App>,
    IdPath(at): IdPath<SitePath>,
    post: PostBody<NewPlan>,
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
