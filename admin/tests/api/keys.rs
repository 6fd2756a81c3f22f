//! API keys: shown once, rotated, revoked.

use chrono::{DateTime, TimeDelta, Utc};
use policy::key::Digest;
use serde_json::{Value, json};

use crate::harness::{Api, id_of, with_api};
use crate::publishing::World;

async fn object(api: &Api, place: &str) -> Value {
    api.get(place).await.expect(200).json()
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no time: {value}"))
}

#[tokio::test]
async fn a_key_is_shown_once() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let keys = format!("{}/keys", world.consumer);
        let expires_at = Utc::now() + TimeDelta::days(7);
        let reply =
            api.post(&keys, json!({"name": "ci", "expires_at": expires_at})).await.expect(201);
        assert_eq!(reply.header("cache-control"), "no-store");
        let key = reply.json()["key"].as_str().unwrap().to_owned();
        assert!(key.starts_with("tnt_live_"), "{key}");
        let digest = Digest::of_presented(key.as_bytes()).expect("the key has the form of one");

        let read = object(api, &reply.location()).await;
        assert_eq!(read["hint"], format!("tnt_live_...{}", &key[key.len() - 4..]));
        assert!((time(&read["expires_at"]) - expires_at).num_milliseconds() == 0);
        for text in [read.to_string(), api.get(&keys).await.text()] {
            assert!(!text.contains(&key) && !text.contains("\"key\""), "{text}");
        }
        let stored: Vec<u8> = sqlx::query_scalar("SELECT digest FROM api_keys WHERE id = $1")
            .bind(id_of(&reply.location()).parse::<uuid::Uuid>().unwrap())
            .fetch_one(&api.superuser)
            .await
            .unwrap();
        assert_eq!(stored, digest.0);
        let audited =
            format!("SELECT count(*) FROM audit_log WHERE audit_log::text LIKE '%{key}%'");
        assert_eq!(api.count(&audited).await, 0);
    })
    .await;
}

#[tokio::test]
async fn the_keys_of_a_test_site_say_so() {
    with_api(async |api| {
        let tenant = api.make("/v1/tenants", json!({"name": "Acme"})).await;
        let new = json!({"name": "Test", "slug": "test-shop", "environment": "test"});
        let site = api.make(&format!("{tenant}/sites"), new).await;
        let consumer = api.make(&format!("{site}/consumers"), json!({"name": "app"})).await;
        let reply = api.post(&format!("{consumer}/keys"), json!({})).await.expect(201);
        assert!(reply.json()["key"].as_str().unwrap().starts_with("tnt_test_"));
    })
    .await;
}

#[tokio::test]
async fn a_revoked_key_can_be_read_and_revoked_again() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        api.delete(&world.key).await.expect(204);
        let first = object(api, &world.key).await;
        assert!(first["revoked_at"].is_string());
        api.delete(&world.key).await.expect(204);
        assert_eq!(object(api, &world.key).await, first, "the first time stays");
        api.post(&format!("{}/rotate", world.key), json!({})).await.problem(409, "key-ended");
    })
    .await;
}

#[tokio::test]
async fn a_rotated_key_works_on_for_its_grace() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let rotate = format!("{}/rotate", world.key);
        let reply = api.post(&rotate, json!({"grace_seconds": 3600})).await.expect(201);
        assert_eq!(reply.header("cache-control"), "no-store");
        let new = reply.json();
        assert!(reply.location().starts_with(&format!("{}/keys/", world.consumer)));
        assert_eq!(new["name"], "ci", "the new key has the name of the old one");
        let old = object(api, &world.key).await;
        assert_eq!(old["replaced_by"], new["id"]);
        let left = time(&old["expires_at"]) - Utc::now();
        assert!(left > TimeDelta::seconds(3500) && left <= TimeDelta::seconds(3600), "{left}");

        // A second rotation does not let the old key live longer.
        api.post(&rotate, json!({"grace_seconds": 86400})).await.expect(201);
        assert_eq!(object(api, &world.key).await["expires_at"], old["expires_at"]);
        api.post(&rotate, json!({"grace_seconds": 0})).await.expect(201);
        assert!(time(&object(api, &world.key).await["expires_at"]) <= Utc::now());
        api.post(&rotate, json!({})).await.problem(409, "key-ended");
    })
    .await;
}
