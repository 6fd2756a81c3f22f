//! Refused issuers, and the fields that the answers name.

use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::with_api;
use crate::issuers::{SECRET, jwks, symmetric, with};
use crate::publishing::World;

/// Bodies, each with its wrong fields.
type Wrong = Vec<(Value, Vec<&'static str>)>;

/// Tries to make each of these issuers. No answer repeats a secret, or a value that may be one.
async fn refused(wrong: Wrong) {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let list = format!("{}/issuers", world.site);
        for (body, fields) in &wrong {
            let reply = api.post(&list, body.clone()).await.problem(422, "invalid");
            let text = reply.text();
            assert!(
                !text.contains("secret-number")
                    && !text.contains("12345")
                    && !text.contains("horse"),
                "{text}"
            );
            reply.fields(fields);
        }
        assert_eq!(
            api.get(&list).await.json()["items"].as_array().unwrap().len(),
            1,
            "nothing was made"
        );
    })
    .await;
}

#[tokio::test]
async fn wrong_fields_are_named() {
    let by_uri =
        json!({"issuer": "i", "algorithms": ["RS256"], "jwks_uri": "https://i.example/jwks"});
    refused(vec![
        (json!({"algorithms": ["RS256"]}), vec!["issuer"]),
        (json!({"issuer": "i"}), vec!["algorithms"]),
        (with(&by_uri, json!({"issuer": ""})), vec!["issuer"]),
        (with(&by_uri, json!({"issuers": "x"})), vec!["issuers"]),
        (with(&by_uri, json!({"algorithms": ["none"]})), vec!["algorithms[0]"]),
        (with(&by_uri, json!({"algorithms": []})), vec!["algorithms"]),
        (
            with(&by_uri, json!({"algorithms": ["RS256", "HS256"]})),
            vec!["algorithms", "shared_secret"],
        ),
        (with(&by_uri, json!({"jwks_uri": "http://i.example/jwks"})), vec!["jwks_uri"]),
        (with(&by_uri, json!({"jwks_uri": "ftp://i.example/jwks"})), vec!["jwks_uri", "jwks_uri"]),
        (with(&by_uri, json!({"jwks_uri": "https://u:p@i.example/"})), vec!["jwks_uri"]),
        (with(&by_uri, json!({"jwks_uri": "https://i.example:65536/"})), vec!["jwks_uri"]),
        (with(&by_uri, json!({"jwks_uri": "https://i.example/#keys"})), vec!["jwks_uri"]),
        (with(&by_uri, json!({"algorithms": ["RS256", "RS256"]})), vec!["algorithms"]),
        (
            with(&by_uri, json!({"upstream_headers": {"X-A": "a", "x-a": "b"}})),
            vec!["upstream_headers.x-a"],
        ),
        (with(&by_uri, json!({"jwks_uri": null, "algorithms": ["RS256"]})), vec!["algorithms"]),
        (with(&by_uri, json!({"jwks": jwks(), "algorithms": ["ES256"]})), vec!["jwks"]),
        (with(&by_uri, json!({"shared_secret": SECRET})), vec!["shared_secret"]),
        (with(&by_uri, json!({"leeway_seconds": 601})), vec!["leeway_seconds"]),
        (with(&by_uri, json!({"max_age_seconds": 0})), vec!["max_age_seconds"]),
        (with(&by_uri, json!({"required_claims": {"a": ["b"]}})), vec!["required_claims.a"]),
        (with(&by_uri, json!({"required_claims": {"a": "\0"}})), vec!["required_claims.a"]),
        (
            with(&by_uri, json!({"upstream_headers": {"Authorization": "sub"}})),
            vec!["upstream_headers.Authorization"],
        ),
        (
            with(&by_uri, json!({"upstream_headers": {"x-tenantry-site": "sub"}})),
            vec!["upstream_headers.x-tenantry-site"],
        ),
    ])
    .await;
}

#[tokio::test]
async fn wrong_keys_are_named() {
    let inline = json!({"issuer": "i", "algorithms": ["ES256"], "jwks": jwks()});
    let key = |more: Value| json!({"jwks": {"keys": [with(&jwks()["keys"][0], more)]}});
    refused(vec![
        (with(&inline, json!({"jwks": {"keys": []}})), vec!["jwks"]),
        (with(&inline, json!({"jwks": {"keys": [5]}})), vec!["jwks.keys[0]", "jwks"]),
        (with(&inline, json!({"algorithms": ["ES384"]})), vec!["jwks"]),
        (with(&inline, key(json!({"x": "AAAA"}))), vec!["jwks"]),
        (with(&inline, key(json!({"use": "enc"}))), vec!["jwks"]),
        (
            with(&inline, json!({"jwks": {"keys": vec![jwks()["keys"][0].clone(); 65]}})),
            vec!["jwks.keys"],
        ),
        (with(&inline, key(json!({"d": "secret-number"}))), vec!["jwks.keys[0].d"]),
        (with(&inline, key(json!({"kty": "oct", "k": "secret-number"}))), vec!["jwks.keys[0].k"]),
        (
            with(&inline, key(json!({"kty": "RSA", "p": "secret-number", "q": "secret-number"}))),
            vec!["jwks.keys[0].p", "jwks.keys[0].q"],
        ),
        (with(&inline, key(json!({"kid": "\0"}))), vec!["jwks"]),
    ])
    .await;
}

#[tokio::test]
async fn wrong_secrets_are_named() {
    refused(vec![
        (json!({"issuer": "i", "algorithms": ["HS256"]}), vec!["shared_secret"]),
        (with(&symmetric("i"), json!({"shared_secret": "secret-number"})), vec!["shared_secret"]),
        (with(&symmetric("i"), json!({"shared_secret": 12345})), vec!["shared_secret"]),
        (with(&symmetric("i"), json!({"shared_secret": null})), vec!["shared_secret"]),
        (with(&symmetric("i"), json!({"algorithms": ["HS256", "HS512"]})), vec!["shared_secret"]),
        (with(&symmetric("i"), json!({"jwks": jwks()})), vec!["algorithms", "jwks"]),
    ])
    .await;
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let list = format!("{}/issuers", world.site);
        let secrets = format!(r#""shared_secret":"{SECRET}","shared_secret":"x""#);
        let twice = format!(r#"{{"issuer":"i","algorithms":["HS256"],{secrets}}}"#);
        let twice = api.call(Method::POST, &list).body("application/json", twice);
        twice.send().await.problem(422, "invalid").fields(&["shared_secret"]);
    })
    .await;
}

#[tokio::test]
async fn wrong_changes_are_named() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        for (changes, fields) in [
            (json!({"issuer": null}), vec!["issuer"]),
            (json!({"algorithms": ["HS256"]}), vec!["algorithms", "shared_secret"]),
            (json!({"jwks_uri": null}), vec!["algorithms"]),
            (json!({"shared_secret": SECRET}), vec!["shared_secret"]),
            (json!({"kty": "RSA"}), vec!["kty"]),
        ] {
            api.patch(&world.issuer, changes).await.problem(422, "invalid").fields(&fields);
        }
        assert_eq!(api.get(&world.issuer).await.etag(), "\"1\"");
    })
    .await;
}
