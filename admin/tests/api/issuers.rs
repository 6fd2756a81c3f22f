//! Issuers: their keys, their secrets, and refusals.

use serde_json::{Value, json};

use crate::harness::{Api, Options, with_api};
use crate::publishing::World;

pub(crate) const SECRET: &str = "correct horse battery staple, and another horse";

pub(crate) fn symmetric(issuer: &str) -> Value {
    json!({"issuer": issuer, "algorithms": ["HS256"], "shared_secret": SECRET})
}

/// The public key of RFC 7515 appendix A.3, in a set of one.
pub(crate) fn jwks() -> Value {
    json!({"keys": [{
        "kty": "EC",
        "crv": "P-256",
        "kid": "1",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    }]})
}

pub(crate) fn with(base: &Value, more: Value) -> Value {
    let mut body = base.clone();
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn defaults_are_filled_in() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let list = format!("{}/issuers", world.site);
        let reply = api
            .post(
                &list,
                json!({"issuer": "https://i.example/", "algorithms": ["ES256"], "jwks": jwks()}),
            )
            .await;
        let made = reply.expect(201).json();
        for (field, value) in [
            ("issuer", json!("https://i.example/")),
            ("algorithms", json!(["ES256"])),
            ("jwks", jwks()),
            ("audiences", json!([])),
            ("required_claims", json!({})),
            ("leeway_seconds", json!(30)),
            ("consumer_claim", json!("sub")),
            ("require_consumer", json!(true)),
            ("scope_claim", json!("scope")),
            ("upstream_headers", json!({})),
        ] {
            assert_eq!(made[field], value, "{field}");
        }
        let items = api.get(&list).await.expect(200).json()["items"].clone();
        assert!(items.as_array().unwrap().contains(&made));
    })
    .await;
}

#[tokio::test]
async fn fields_are_changed_one_by_one() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let before = api.get(&world.issuer).await.expect(200);
        assert_eq!(before.etag(), "\"1\"");
        let changes = json!({
            "audiences": ["orders"],
            "required_claims": {"tenant": "acme", "level": 3, "mfa": true, "any": null},
            "leeway_seconds": 0,
            "max_age_seconds": 3600,
            "consumer_claim": "client_id",
            "require_consumer": false,
            "scope_claim": "scp",
            "upstream_headers": {"x-user": "sub"},
            "algorithms": ["PS256", "RS256"],
        });
        let after = api.patch(&world.issuer, changes.clone()).await.expect(200).json();
        for (field, value) in after.as_object().unwrap() {
            let expected = changes.get(field).unwrap_or(&before.json()[field]).clone();
            assert!(*value == expected || field == "updated_at", "{field} of {after}");
        }
        assert_eq!(api.get(&world.issuer).await.json(), after);
        let after =
            api.patch(&world.issuer, json!({"max_age_seconds": null})).await.expect(200).json();
        assert_eq!(after.get("max_age_seconds"), None);
        let stale = api.call(axum::http::Method::PATCH, &world.issuer).header("if-match", "\"1\"");
        stale.json(&json!({"leeway_seconds": 1})).send().await.problem(412, "changed");

        // The issuer changes from one kind of keys to another.
        let ec = json!({"jwks_uri": null, "jwks": jwks(), "algorithms": ["ES256"]});
        let after = api.patch(&world.issuer, ec).await.expect(200).json();
        assert_eq!((after.get("jwks_uri"), &after["jwks"]), (None, &jwks()));
        let hs = json!({"jwks": null, "algorithms": ["HS256"], "shared_secret": SECRET});
        let after = api.patch(&world.issuer, hs).await.expect(200).json();
        assert_eq!((after.get("jwks"), &after["algorithms"]), (None, &json!(["HS256"])));
        api.delete(&world.issuer).await.expect(204);
        api.get(&world.issuer).await.problem(404, "not-found");
    })
    .await;
}

#[tokio::test]
async fn an_issuer_is_there_once_in_a_site() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let neighbour = World::site(api, &world.tenant, "acme-two").await;
        let list = format!("{}/issuers", world.site);
        api.post(&list, symmetric("https://second.example/")).await.expect(201);
        api.post(&list, symmetric("https://second.example/"))
            .await
            .problem(409, "taken")
            .fields(&["issuer"]);
        let taken = json!({"issuer": "https://second.example/"});
        api.patch(&world.issuer, taken).await.problem(409, "taken").fields(&["issuer"]);
        api.post(&format!("{}/issuers", neighbour.site), symmetric("https://second.example/"))
            .await
            .expect(201);
    })
    .await;
}

/// The number of rows with a text in any column of these tables, counted by the superuser.
async fn found(api: &Api, text: &str) -> i64 {
    let mut sum = 0;
    for table in ["issuers", "signing_keys", "audit_log", "idempotency_keys", "change_log"] {
        let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        let query = format!(
            "SELECT count(*) FROM {table} t WHERE t::text LIKE '%{text}%' OR t::text LIKE '%{hex}%'"
        );
        sum += api.count(&query).await;
    }
    sum
}

#[tokio::test]
async fn a_shared_secret_is_never_seen_again() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let list = format!("{}/issuers", world.site);
        let post = || {
            api.call(axum::http::Method::POST, &list)
                .header("idempotency-key", "k")
                .json(&symmetric("https://hs.example/"))
        };
        let made = post().send().await.expect(201);
        let again = post().send().await.expect(201);
        assert_eq!(again.header("idempotency-replayed"), "true");
        let place = made.location();
        let other = "another secret of thirty-two bytes at least";
        let changed = api.patch(&place, json!({"shared_secret": other})).await.expect(200);
        let read = [made, again, changed, api.get(&place).await, api.get(&list).await];
        for reply in read {
            let text = reply.text();
            assert!(
                !text.contains("horse") && !text.contains("thirty-two") && !text.contains("secret"),
                "{text}"
            );
        }
        for text in [SECRET, other] {
            assert_eq!(found(api, text).await, 0);
        }
        assert_eq!(
            api.count("SELECT count(*) FROM issuers WHERE secret_sealed IS NOT NULL").await,
            1
        );

        // A secret stays as long as it is needed, and is long enough.
        api.patch(&place, json!({"leeway_seconds": 5})).await.expect(200);
        api.patch(&place, json!({"algorithms": ["HS512"]}))
            .await
            .problem(422, "invalid")
            .fields(&["shared_secret"]);
        assert_eq!(
            api.count("SELECT count(*) FROM issuers WHERE secret_sealed IS NOT NULL").await,
            1
        );
        api.patch(&place, json!({"algorithms": ["ES256"], "jwks": jwks()})).await.expect(200);
        assert_eq!(
            api.count("SELECT count(*) FROM issuers WHERE secret_sealed IS NOT NULL").await,
            0
        );
    })
    .await;
}

#[tokio::test]
async fn without_a_key_no_secret_is_taken() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let keyless = api.with(Options { secrets: None, ..Options::default() });
        let list = format!("{}/issuers", world.site);
        let reply = keyless
            .post(&list, symmetric("https://hs.example/"))
            .await
            .problem(503, "no-secrets-key");
        assert!(reply.text().contains("--secrets-key-file"), "{}", reply.text());
        let changes = json!({"jwks_uri": null, "algorithms": ["HS256"], "shared_secret": SECRET});
        keyless.patch(&world.issuer, changes).await.problem(503, "no-secrets-key");
        let keys = format!("{}/signing-keys", world.consumer);
        keyless
            .post(&keys, json!({"algorithm": "hmac-sha256"}))
            .await
            .problem(503, "no-secrets-key");
        // An issuer without a secret needs no secrets key.
        keyless.patch(&world.issuer, json!({"leeway_seconds": 7})).await.expect(200);
        keyless
            .post(&list, json!({"issuer": "i", "algorithms": ["ES256"], "jwks": jwks()}))
            .await
            .expect(201);
    })
    .await;
}

#[tokio::test]
async fn http_is_for_development() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let relaxed = api.with(Options { allow_http_jwks: true, ..Options::default() });
        let body = json!({"issuer": "i", "algorithms": ["RS256"],
            "jwks_uri": "http://127.0.0.1:8080/jwks"});
        let list = format!("{}/issuers", world.site);
        api.post(&list, body.clone()).await.problem(422, "invalid").fields(&["jwks_uri"]);
        relaxed.post(&list, body).await.expect(201);
    })
    .await;
}
