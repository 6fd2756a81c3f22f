//! Issuers: their keys, their secrets, and what is refused.

use serde_json::{Value, json};

use crate::harness::{Api, Options, with_api};
use crate::publishing::World;

const SECRET: &str = "correct horse battery staple, and another horse";

fn symmetric(issuer: &str) -> Value {
    json!({"issuer": issuer, "algorithms": ["HS256"], "shared_secret": SECRET})
}

/// The public key of RFC 7515 appendix A.3, as a set of one.
fn jwks() -> Value {
    json!({"keys": [{
        "kty": "EC",
        "crv": "P-256",
        "kid": "1",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    }]})
}

fn with(base: &Value, more: Value) -> Value {
    let mut body = base.clone();
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn defaults_are_filled_in() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let list = format!("{}/issuers", world.site);
        let reply =
            api.post(&list, json!({"issuer": "https://i.example/", "algorithms": ["ES256"], "jwks": jwks()})).await;
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
        let after = api.patch(&world.issuer, json!({"max_age_seconds": null})).await.expect(200).json();
        assert_eq!(after.get("max_age_seconds"), None);
        let stale = api.call(axum::http::Method::PATCH, &world.issuer).header("if-match", "\"1\"");
        stale.json(&json!({"leeway_seconds": 1})).send().await.problem(412, "changed");

        // From one kind of keys to another.
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
async fn what_is_wrong_is_named() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let list = format!("{}/issuers", world.site);
        let by_uri = json!({"issuer": "i", "algorithms": ["RS256"], "jwks_uri": "https://i.example/jwks"});
        let inline = json!({"issuer": "i", "algorithms": ["ES256"], "jwks": jwks()});
        let key = |more: Value| json!({"jwks": {"keys": [with(&jwks()["keys"][0], more)]}});
        for (body, fields) in [
            (json!({"algorithms": ["RS256"]}), vec!["issuer"]),
            (json!({"issuer": "i"}), vec!["algorithms"]),
            (with(&by_uri, json!({"issuer": ""})), vec!["issuer"]),
            (with(&by_uri, json!({"issuers": "x"})), vec!["issuers"]),
            (with(&by_uri, json!({"algorithms": ["none"]})), vec!["algorithms[0]"]),
            (with(&by_uri, json!({"algorithms": []})), vec!["algorithms"]),
            (with(&by_uri, json!({"algorithms": ["RS256", "HS256"]})), vec!["algorithms", "shared_secret"]),
            (with(&by_uri, json!({"jwks_uri": "http://i.example/jwks"})), vec!["jwks_uri"]),
            (with(&by_uri, json!({"jwks_uri": "ftp://i.example/jwks"})), vec!["jwks_uri", "jwks_uri"]),
            (with(&by_uri, json!({"jwks_uri": "https://u:p@i.example/"})), vec!["jwks_uri"]),
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
            (with(&inline, json!({"jwks": {"keys": []}})), vec!["jwks"]),
            (with(&inline, json!({"jwks": {"keys": [5]}})), vec!["jwks.keys[0]", "jwks"]),
            (with(&inline, json!({"algorithms": ["ES384"]})), vec!["jwks"]),
            (with(&inline, key(json!({"d": "secret-number"}))), vec!["jwks.keys[0].d"]),
            (with(&inline, key(json!({"kty": "oct", "k": "secret-number"}))), vec!["jwks.keys[0].k"]),
            (
                with(&inline, key(json!({"kty": "RSA", "p": "secret-number", "q": "secret-number"}))),
                vec!["jwks.keys[0].p", "jwks.keys[0].q"],
            ),
            (with(&inline, key(json!({"kid": "\0"}))), vec!["jwks"]),
            (json!({"issuer": "i", "algorithms": ["HS256"]}), vec!["shared_secret"]),
            (with(&symmetric("i"), json!({"shared_secret": "secret-number"})), vec!["shared_secret"]),
            (with(&symmetric("i"), json!({"shared_secret": 12345})), vec!["shared_secret"]),
            (with(&symmetric("i"), json!({"shared_secret": null})), vec!["shared_secret"]),
            (with(&symmetric("i"), json!({"algorithms": ["HS256", "HS512"]})), vec!["shared_secret"]),
            (with(&symmetric("i"), json!({"jwks": jwks()})), vec!["algorithms", "jwks"]),
        ] {
            let reply = api.post(&list, body.clone()).await.problem(422, "invalid");
            let text = reply.text();
            assert!(!text.contains("secret-number") && !text.contains("12345") && !text.contains("horse"), "{text}");
            reply.fields(&fields);
        }
        let twice =
            format!(r#"{{"issuer":"i","algorithms":["HS256"],"shared_secret":"{SECRET}","shared_secret":"x"}}"#);
        let twice = api.call(axum::http::Method::POST, &list).body("application/json", twice);
        twice.send().await.problem(422, "invalid").fields(&["shared_secret"]);
        assert_eq!(api.get(&list).await.json()["items"].as_array().unwrap().len(), 1, "nothing was made");
        for (changes, fields) in [
            (json!({"issuer": null}), vec!["issuer"]),
            (json!({"algorithms": ["HS256"]}), vec!["algorithms", "shared_secret"]),
            (json!({"jwks_uri": null}), vec!["algorithms"]),
            (json!({"shared_secret": SECRET}), vec!["shared_secret"]),
            (json!({"kty": "RSA"}), vec!["kty"]),
        ] {
            api.patch(&world.issuer, changes).await.problem(422, "invalid").fields(&fields);
        }
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
        api.post(&list, symmetric("https://second.example/")).await.problem(409, "taken").fields(&["issuer"]);
        let taken = json!({"issuer": "https://second.example/"});
        api.patch(&world.issuer, taken).await.problem(409, "taken").fields(&["issuer"]);
        api.post(&format!("{}/issuers", neighbour.site), symmetric("https://second.example/")).await.expect(201);
    })
    .await;
}

/// How often the superuser finds a text in any column of these tables.
async fn found(api: &Api, text: &str) -> i64 {
    let mut sum = 0;
    for table in ["issuers", "signing_keys", "audit_log", "idempotency_keys", "change_log"] {
        let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        let query = format!("SELECT count(*) FROM {table} t WHERE t::text LIKE '%{text}%' OR t::text LIKE '%{hex}%'");
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
            assert!(!text.contains("horse") && !text.contains("thirty-two") && !text.contains("secret"), "{text}");
        }
        for text in [SECRET, other] {
            assert_eq!(found(api, text).await, 0);
        }
        assert_eq!(api.count("SELECT count(*) FROM issuers WHERE secret_sealed IS NOT NULL").await, 1);

        // A secret stays as long as it is needed, and is long enough.
        api.patch(&place, json!({"leeway_seconds": 5})).await.expect(200);
        api.patch(&place, json!({"algorithms": ["HS512"]})).await.problem(422, "invalid").fields(&["shared_secret"]);
        assert_eq!(api.count("SELECT count(*) FROM issuers WHERE secret_sealed IS NOT NULL").await, 1);
        api.patch(&place, json!({"algorithms": ["ES256"], "jwks": jwks()})).await.expect(200);
        assert_eq!(api.count("SELECT count(*) FROM issuers WHERE secret_sealed IS NOT NULL").await, 0);
    })
    .await;
}

#[tokio::test]
async fn without_a_key_no_secret_is_taken() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let keyless = api.with(Options { secrets: None, allow_http_jwks: false });
        let list = format!("{}/issuers", world.site);
        let reply = keyless.post(&list, symmetric("https://hs.example/")).await.problem(503, "no-secrets-key");
        assert!(reply.text().contains("--secrets-key-file"), "{}", reply.text());
        let changes = json!({"jwks_uri": null, "algorithms": ["HS256"], "shared_secret": SECRET});
        keyless.patch(&world.issuer, changes).await.problem(503, "no-secrets-key");
        let keys = format!("{}/signing-keys", world.consumer);
        keyless.post(&keys, json!({"algorithm": "hmac-sha256"})).await.problem(503, "no-secrets-key");
        // What has no secret needs no key.
        keyless.patch(&world.issuer, json!({"leeway_seconds": 7})).await.expect(200);
        keyless.post(&list, json!({"issuer": "i", "algorithms": ["ES256"], "jwks": jwks()})).await.expect(201);
    })
    .await;
}

#[tokio::test]
async fn http_is_for_development() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let relaxed = api.with(Options { allow_http_jwks: true, ..Options::default() });
        let body = json!({"issuer": "i", "algorithms": ["RS256"], "jwks_uri": "http://127.0.0.1:8080/jwks"});
        let list = format!("{}/issuers", world.site);
        api.post(&list, body.clone()).await.problem(422, "invalid").fields(&["jwks_uri"]);
        relaxed.post(&list, body).await.expect(201);
    })
    .await;
}

#[tokio::test]
async fn a_subject_is_one_consumers() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let neighbour = World::site(api, &world.tenant, "acme-two").await;
        let settings = json!({"settings": {"subjects": [{"issuer": "https://login.example/", "value": "app-1"}]}});
        api.patch(&world.consumer, settings.clone()).await.expect(200);
        api.patch(&world.consumer, settings.clone()).await.expect(200);
        let consumers = format!("{}/consumers", world.site);
        let new = with(&settings, json!({"name": "second"}));
        let reply = api.post(&consumers, new.clone()).await.problem(409, "taken");
        assert!(reply.text().contains("app-1"), "{}", reply.text());
        let second = api.make(&consumers, json!({"name": "second"})).await;
        api.patch(&second, settings.clone()).await.problem(409, "taken");
        api.patch(&neighbour.consumer, settings.clone()).await.expect(200);
        // Once it is given up, it is free.
        api.patch(&world.consumer, json!({"settings": {}})).await.expect(200);
        api.patch(&second, settings.clone()).await.expect(200);
        api.delete(&second).await.expect(204);
        api.patch(&world.consumer, settings).await.expect(200);
    })
    .await;
}
