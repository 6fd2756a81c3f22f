//! `POST /v1/tenants/{tenant_id}/sites/{site_id}/consumers/{consumer_id}/signing-keys`.

use axum::extract::State;
use axum::response::Response;
use store::signing_key;

use super::model::{HmacSecret, NewSigningKey, SigningKeyWithSecret};
use crate::app::App;
use crate::forms::ids::ConsumerPath;
use crate::http::answer::Answer;
use crate::http::extract::{IdPath, PostBody};
use crate::http::problem::Problem;

/// Makes a signing key for a consumer.
///
/// For `ed25519` the consumer gives its public key. For `hmac-sha256` the secret is drawn here: it
/// is in this answer and nowhere else; keep it. Signatures name the `id` as their `keyid`.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant_id}/sites/{site_id}/consumers/{consumer_id}/signing-keys",
    operation_id = "createSigningKey",
    tag = "Signing keys",
    params(ConsumerPath),
    request_body(
        content = NewSigningKey,
        examples(
            ("ed25519" = (
                summary = "A public key of the consumer",
                value = json!({
                    "name": "Billing job",
                    "algorithm": "ed25519",
                    "public_key": "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="
                }),
            )),
            ("hmac" = (
                summary = "A secret, which is drawn and shown once",
                value = json!({"name": "Webhook", "algorithm": "hmac-sha256"}),
            )),
        ),
    ),
    responses((status = 201, description = "The key.", body = SigningKeyWithSecret)),
)]
pub(super) async fn create(
    State(app): State<App>,
    IdPath(at): IdPath<ConsumerPath>,
    post: PostBody<NewSigningKey>,
) -> Result<Response, Problem> {
    let secret = HmacSecret::draw()?;
    let new = post.body.checked((app.clock)(), &secret)?;
    let mut tx = app.store.tenant(at.tenant_id, &post.caller.actor()).await?;
    if let Some(answer) = post.once.replay(&mut tx).await? {
        return Ok(answer);
    }
    let row = signing_key::create(&mut tx, at.site_id, at.consumer_id, new, app.secrets.as_deref())
        .await?;
    let place = format!("{}/signing-keys/{}", at.place(), row.id);
    post.once.finish(tx, Answer::created(place, &SigningKeyWithSecret::new(&secret, row))?).await
}
