//! JSON Web Tokens of a site's issuers.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serde_json::json;
use stack::Stack;
use tenantry_tests::jwks::{ISSUER, Published, SigningKey};
use tenantry_tests::{THING, Things, eventually, finish, gateway::Answer};

async fn ask(things: &Things, token: &str) -> Answer {
    things.send(Method::GET, THING, &[("authorization", token)]).await
}

#[tokio::test]
async fn a_token_gets_in_as_its_consumer_and_a_rotated_key_ends_it() {
    let (first, second) = (SigningKey::generate("first"), SigningKey::generate("second"));
    let published = Published::start(vec![first.jwk()]);
    let builder = Stack::builder("jwks").xds_env("TENANTRY_JWKS_MAX_LIFETIME_S", "1");
    let things = Things::start(builder).await;
    things.site.set(json!({ "auth": { "any_of": ["jwt", "key"] } })).await;
    let issuer = json!({
        "issuer": ISSUER, "jwks_uri": published.uri(), "algorithms": ["ES256"],
        "audiences": ["things"],
        "upstream_headers": { "X-User": "email" },
    });
    things.site.make("issuers", issuer).await;
    let subject = json!({ "issuer": ISSUER, "value": "app-1" });
    let consumer = things
        .site
        .consumer(json!({ "name": "with a subject", "settings": { "subjects": [subject] } }))
        .await;

    let token = first.token("app-1", json!({ "aud": "things", "email": "a@b.example" }));
    let answer =
        eventually("the token", || ask(&things, &token), |answer| answer.status == 200).await;
    assert_eq!(answer.upstream_saw("x-tenantry-consumer"), Some(consumer));
    assert_eq!(answer.upstream_saw("x-user").as_deref(), Some("a@b.example"));
    assert_eq!(answer.upstream_saw("authorization"), None, "the token stays at the gateway");
    let forged = [("x-api-key", things.key.text.as_str()), ("x-user", "root")];
    let answer = things.send(Method::GET, THING, &forged).await;
    assert_eq!(answer.upstream_saw("x-user"), None, "only tokens set this header");

    for (what, refused) in [
        ("another audience", first.token("app-1", json!({ "aud": "others" }))),
        ("another subject", first.token("app-2", json!({ "aud": "things" }))),
        ("another key", SigningKey::generate("first").token("app-1", json!({ "aud": "things" }))),
        ("no signature", unsigned(&token)),
        ("a changed signature", changed(&token)),
    ] {
        let answer = ask(&things, &refused).await;
        assert_eq!(
            answer.fingerprint().2,
            ask(&things, "").await.fingerprint().2,
            "{what} is told apart"
        );
        answer.assert_problem(403);
    }

    published.publish(vec![first.jwk(), second.jwk()]);
    let newer = second.token("app-1", json!({ "aud": "things" }));
    eventually("the second key", || ask(&things, &newer), |answer| answer.status == 200).await;
    assert_eq!(ask(&things, &token).await.status, 200, "both keys are good");
    published.publish(vec![second.jwk()]);
    eventually("the end of the first key", || ask(&things, &token), |answer| answer.status == 403)
        .await;
    assert_eq!(ask(&things, &newer).await.status, 200);
    finish(things.stack).await;
}

/// The same token with another character in the middle of its signature.
fn changed(token: &str) -> String {
    let at = token.len() - 40;
    let other = if token[at..].starts_with('A') { "B" } else { "A" };
    format!("{}{other}{}", &token[..at], &token[at + 1..])
}

/// The same token with the algorithm `none`.
fn unsigned(token: &str) -> String {
    let mut parts = token.split('.');
    let claims = parts.nth(1).unwrap_or_default();
    format!("Bearer {}.{claims}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#))
}

#[tokio::test]
async fn a_shared_secret_signs_too_and_a_removed_issuer_is_gone() {
    use jwt_simple::prelude::{Claims, Duration, HS256Key, MACLike as _};

    let things = Things::start(Stack::builder("shared-secret")).await;
    things.site.set(json!({ "auth": { "any_of": ["jwt", "key"] } })).await;
    let secret = "a text that nobody else has got, and long enough";
    let issuer = json!({
        "issuer": ISSUER, "algorithms": ["HS256"], "shared_secret": secret,
        "require_consumer": false,
    });
    let made = things.site.make("issuers", issuer).await;
    assert!(!made.to_string().contains(secret), "the secret was shown: {made}");
    let token = HS256Key::from_bytes(secret.as_bytes())
        .authenticate(Claims::create(Duration::from_mins(5)).with_issuer(ISSUER))
        .expect("a token");
    let token = format!("Bearer {token}");
    let answer =
        eventually("the token", || ask(&things, &token), |answer| answer.status == 200).await;
    assert_eq!(answer.upstream_saw("x-tenantry-consumer"), None);
    let id = made["id"].as_str().expect("an id");
    things
        .stack
        .api
        .delete(&format!("{}/issuers/{id}", things.site.path))
        .await
        .expect("a deletion");
    eventually("its end", || ask(&things, &token), |answer| answer.status == 403).await;
    finish(things.stack).await;
}
