//! Signing keys: made, shown once where there is a secret, revoked.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use crate::harness::{id_of, with_api};
use crate::publishing::{PUBLIC_KEY, World};

#[tokio::test]
async fn a_public_key_is_given() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let list = format!("{}/signing-keys", world.consumer);
        let pem = format!(
            "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA{PUBLIC_KEY}\n\
            -----END PUBLIC KEY-----\n"
        );
        let expires_at = Utc::now() + TimeDelta::days(30);
        let new = json!({"name": "billing", "algorithm": "ed25519", "public_key": pem,
            "expires_at": expires_at});
        let reply = api.post(&list, new).await.expect(201);
        let made = reply.json();
        assert_eq!(reply.location(), format!("{list}/{}", made["id"].as_str().unwrap()));
        assert_eq!(reply.header("cache-control"), "no-store");
        assert_eq!(reply.etag(), "\"1\"");
        assert_eq!((&made["name"], &made["algorithm"]), (&json!("billing"), &json!("ed25519")));
        assert_eq!((&made["public_key"], made.get("secret")), (&json!(PUBLIC_KEY), None));
        assert_eq!((&made["revoked_at"], made["expires_at"].is_string()), (&Value::Null, true));
        assert_eq!(api.get(&reply.location()).await.expect(200).json(), made);
        let items = api.get(&list).await.expect(200).json()["items"].clone();
        assert!(items.as_array().unwrap().contains(&made));
    })
    .await;
}

#[tokio::test]
async fn a_secret_is_shown_once() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let list = format!("{}/signing-keys", world.consumer);
        let post = || {
            api.call(axum::http::Method::POST, &list)
                .header("idempotency-key", "k")
                .json(&json!({"algorithm": "hmac-sha256"}))
        };
        let reply = post().send().await.expect(201);
        assert_eq!(reply.header("cache-control"), "no-store");
        let made = reply.json();
        let secret = made["secret"].as_str().unwrap().to_owned();
        let bytes = STANDARD.decode(&secret).unwrap();
        assert_eq!(bytes.len(), 64);
        assert_eq!(made["public_key"], Value::Null);
        assert_eq!(post().send().await.expect(201).json(), made, "a repetition gets the same one");
        let second = api.post(&list, json!({"algorithm": "hmac-sha256"})).await.expect(201).json();
        assert_ne!(second["secret"], made["secret"]);

        let changed = api.patch(&reply.location(), json!({"name": "renamed"})).await.expect(200);
        for text in
            [api.get(&reply.location()).await.text(), api.get(&list).await.text(), changed.text()]
        {
            assert!(!text.contains(&secret) && !text.contains("\"secret\""), "{text}");
        }
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        for table in ["signing_keys", "audit_log", "idempotency_keys"] {
            let query = format!(
                "SELECT count(*) FROM {table} t WHERE t::text LIKE '%{secret}%' \
                    OR t::text LIKE '%{hex}%'"
            );
            assert_eq!(api.count(&query).await, 0, "{table}");
        }
        let sealed = format!(
            "SELECT count(*) FROM signing_keys WHERE id = '{}' \
            AND octet_length(material_sealed) > 64",
            id_of(&reply.location())
        );
        assert_eq!(api.count(&sealed).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_key_is_changed_and_revoked() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let place = &world.signing_key;
        let after = api
            .patch(place, json!({"name": "x", "settings": {"scopes": ["sign"]}}))
            .await
            .expect(200);
        assert_eq!(
            (after.etag().as_str(), &after.json()["settings"]["scopes"]),
            ("\"2\"", &json!(["sign"]))
        );
        let after = api.patch(place, json!({"name": null})).await.expect(200).json();
        assert_eq!(
            (&after["name"], &after["settings"]["scopes"]),
            (&Value::Null, &json!(["sign"]))
        );
        let stale = api.call(axum::http::Method::DELETE, place).header("if-match", "\"1\"");
        stale.send().await.problem(412, "changed");
        api.delete(place).await.expect(204);
        let revoked = api.get(place).await.expect(200).json();
        assert!(revoked["revoked_at"].is_string());
        api.delete(place).await.expect(204);
        assert_eq!(api.get(place).await.json(), revoked, "the first time stays");
    })
    .await;
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let list = format!("{}/signing-keys", world.consumer);
        let yesterday = Utc::now() - TimeDelta::days(1);
        let rsa = "-----BEGIN PUBLIC KEY-----\nMIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQ==\n\
            -----END PUBLIC KEY-----";
        for (body, fields) in [
            (json!({}), vec!["algorithm"]),
            (json!({"algorithm": "rsa-v1_5-sha256"}), vec!["algorithm"]),
            (json!({"algorithm": "ed25519"}), vec!["public_key"]),
            (json!({"algorithm": "ed25519", "public_key": null}), vec!["public_key"]),
            (json!({"algorithm": "ed25519", "public_key": "c2hvcnQ="}), vec!["public_key"]),
            (json!({"algorithm": "ed25519", "public_key": rsa}), vec!["public_key"]),
            (json!({"algorithm": "hmac-sha256", "public_key": PUBLIC_KEY}), vec!["public_key"]),
            (json!({"algorithm": "hmac-sha256", "secret": "mine"}), vec!["secret"]),
            (
                json!({"algorithm": "hmac-sha256", "expires_at": yesterday, "name": ""}),
                vec!["name", "expires_at"],
            ),
            (
                json!({"algorithm": "hmac-sha256", "settings": {"scopes": [""]}}),
                vec!["settings.scopes[0]"],
            ),
        ] {
            api.post(&list, body).await.problem(422, "invalid").fields(&fields);
        }
        for (changes, field) in [
            (json!({"algorithm": "ed25519"}), "algorithm"),
            (json!({"expires_at": null}), "expires_at"),
            (json!({"name": " x"}), "name"),
        ] {
            api.patch(&world.signing_key, changes).await.problem(422, "invalid").fields(&[field]);
        }
    })
    .await;
}
