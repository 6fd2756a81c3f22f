//! `POST /v1/tenants/{tenant_id}/service-tokens`.

use axum::extract::State;
use axum::response::Response;
use store::service_token;

use super::model::{NewServiceToken, ServiceTokenWithText};
use crate::app::App;
use crate::forms::ids::TenantPath;
use crate::http::answer::Answer;
use crate::http::extract::{IdPath, PostBody};
use crate::http::problem::Problem;
use crate::http::problem::rights::MORE_THAN_OWN;
use crate::secret::ServiceToken;

/// Makes a service token.
///
/// The token is in this answer and nowhere else; keep it. It cannot have more than its maker: a
/// token that makes another gives away no role, no scope and no day more than it has itself.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant_id}/service-tokens",
    operation_id = "createServiceToken",
    tag = "Service tokens",
    params(TenantPath),
    request_body(
        content = NewServiceToken,
        examples(
            ("deploy" = (
                summary = "A pipeline that publishes routes",
                value = json!({
                    "name": "CI",
                    "role": "developer",
                    "scopes": ["routes:write", "import:write", "read"]
                }),
            )),
            ("read" = (
                summary = "A dashboard",
                value = json!({"name": "Dashboard", "role": "viewer"}),
            )),
        ),
    ),
    responses((status = 201, description = "The token.", body = ServiceTokenWithText)),
)]
pub(super) async fn create(
    State(app): State<App>,
    IdPath(at): IdPath<TenantPath>,
    post: PostBody<NewServiceToken>,
) -> Result<Response, Problem> {
    let wanted = post.body.checked((app.clock)())?;
    if !post.caller.may_give(&wanted.standing, &wanted.scopes, wanted.expires_at) {
        return Err(MORE_THAN_OWN.problem());
    }
    let mut tx = app.store.tenant(at.tenant_id, &post.caller.actor()).await?;
    if let Some(answer) = post.once.replay(&mut tx).await? {
        return Ok(answer);
    }
    let token = ServiceToken::generate()?;
    let new = service_token::NewServiceToken {
        name: wanted.name,
        hint: token.hint(),
        digest: token.digest(),
        standing: wanted.standing,
        scopes: wanted.scopes.iter().map(ToString::to_string).collect(),
        expires_at: wanted.expires_at,
    };
    let row = service_token::create(&mut tx, new).await?;
    let place = format!("/v1/tenants/{}/service-tokens/{}", at.tenant_id, row.id);
    post.once.finish(tx, Answer::created(place, &ServiceTokenWithText::new(&token, row))?).await
}
