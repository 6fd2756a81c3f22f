//! `POST /v1/tenants/{tenant_id}/sites/{site_id}/issuers`.

use axum::extract::State;
use axum::response::Response;
use store::issuer;

use super::body::NewIssuer;
use super::model::Issuer;
use crate::app::App;
use crate::forms::ids::SitePath;
use crate::http::answer::Answer;
use crate::http::extract::{IdPath, PostBody};
use crate::http::problem::Problem;

/// Makes an issuer of tokens that the site accepts.
///
/// Its public keys come from `jwks_uri` or `jwks`; HS256, HS384 and HS512 take a `shared_secret`
/// instead. A token belongs to the consumer whose `settings.subjects` have the issuer and the value
/// of the token's `consumer_claim`.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/sites/{site_id}/issuers",
    operation_id = "createIssuer", tag = "Issuers", params(SitePath),
    request_body(content = NewIssuer, examples(
        ("jwks_uri" = (summary = "An OpenID Connect provider", value = json!({
            "issuer": "https://login.example.com/",
            "algorithms": ["RS256", "ES256"],
            "jwks_uri": "https://login.example.com/.well-known/jwks.json",
            "audiences": ["https://api.example.com"],
            "consumer_claim": "azp",
            "upstream_headers": {"x-user-email": "email"}
        }))),
        ("jwks" = (summary = "Keys that are given here", value = json!({
            "issuer": "https://ci.example.com/",
            "algorithms": ["ES256"],
            "jwks": {"keys": [{
                "kty": "EC",
                "crv": "P-256",
                "kid": "2026-01",
                "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
            }]},
            "required_claims": {"ref": "refs/heads/main"}
        }))),
        ("shared_secret" = (summary = "A secret that issuer and gateway share", value = json!({
            "issuer": "internal",
            "algorithms": ["HS256"],
            "shared_secret": "replace this by 32 random bytes or more",
            "leeway_seconds": 5,
            "max_age_seconds": 300
        }))))),
    responses((status = 201, description = "The issuer.", body = Issuer)))]
pub(super) async fn create(
    State(app): State<App>,
    IdPath(at): IdPath<SitePath>,
    post: PostBody<NewIssuer>,
) -> Result<Response, Problem> {
    let new = post.body.checked(&app)?;
    let mut tx = app.store.tenant(at.tenant_id, &post.caller.actor()).await?;
    if let Some(answer) = post.once.replay(&mut tx).await? {
        return Ok(answer);
    }
    let issuer =
        Issuer::from(issuer::create(&mut tx, at.site_id, new, app.secrets.as_deref()).await?);
    let place = format!("{}/issuers/{}", at.place(), issuer.id);
    post.once.finish(tx, Answer::created(place, &issuer)?).await
}
