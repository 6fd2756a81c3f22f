//! `POST /v1/tenants/{tenant_id}/sites/{site_id}/consumers`.

use axum::extract::State;
use axum::response::Response;
use store::consumer;

use super::model::{Consumer, NewConsumer};
use crate::app::App;
use crate::forms::ids::SitePath;
use crate::http::answer::Answer;
use crate::http::extract::{IdPath, PostBody};
use crate::http::problem::Problem;

/// Makes a consumer.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant_id}/sites/{site_id}/consumers",
    operation_id = "createConsumer",
    tag = "Consumers",
    params(SitePath),
    request_body(
        content = NewConsumer,
        examples(
            ("keys" = (
                summary = "An application that has API keys",
                value = json!({"name": "Mobile app"}),
            )),
            ("tokens" = (
                summary = "An application that is named by tokens",
                value = json!({
                    "name": "Billing",
                    "settings": {
                        "subjects": [
                            {"issuer": "https://login.example.com/", "value": "billing-service"}
                        ],
                        "scopes": ["orders:read", "orders:write"]
                    }
                }),
            )),
        ),
    ),
    responses((status = 201, description = "The consumer.", body = Consumer)),
)]
pub(super) async fn create(
    State(app): State<App>,
    IdPath(at): IdPath<SitePath>,
    post: PostBody<NewConsumer>,
) -> Result<Response, Problem> {
    let new = post.body.checked()?;
    let mut tx = app.store.tenant(at.tenant_id, &post.caller.actor()).await?;
    if let Some(answer) = post.once.replay(&mut tx).await? {
        return Ok(answer);
    }
    let consumer = Consumer::from(consumer::create(&mut tx, at.site_id, new).await?);
    let place =
        format!("/v1/tenants/{}/sites/{}/consumers/{}", at.tenant_id, at.site_id, consumer.id);
    post.once.finish(tx, Answer::created(place, &consumer)?).await
}
