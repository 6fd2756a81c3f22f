//! A POST that is repeated with its `Idempotency-Key` has its effect once.

use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::{Api, Call, with_api};
use crate::publishing::World;

fn post(api: &Api, path: &str, key: &str, body: &Value) -> Call {
    api.call(Method::POST, path).header("idempotency-key", key).json(body)
}

#[tokio::test]
async fn a_repetition_gets_the_first_answer() {
    with_api(async |api| {
        let body = json!({"name": "Acme"});
        let first = post(api, "/v1/tenants", "k", &body).send().await.expect(201);
        assert!(!first.headers.contains_key("idempotency-replayed"));
        let again = post(api, "/v1/tenants", "k", &body).send().await.expect(201);
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(
            (&again.body, again.location(), again.etag()),
            (&first.body, first.location(), first.etag())
        );
        post(api, "/v1/tenants", "other", &body).send().await.expect(201);
        assert_eq!(api.count("SELECT count(*) FROM tenants").await, 2);
        assert_eq!(
            api.count("SELECT count(*) FROM audit_log WHERE action = 'tenant.create'").await,
            2
        );
    })
    .await;
}

#[tokio::test]
async fn a_key_is_for_one_request() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        post(api, "/v1/tenants", "k", &json!({"name": "A"})).send().await.expect(201);
        post(api, "/v1/tenants", "k", &json!({"name": "B"}))
            .send()
            .await
            .problem(422, "idempotency-key-reused");
        let sites = format!("{}/sites", world.tenant);
        post(api, &sites, "k", &json!({"name": "A", "slug": "a"}))
            .send()
            .await
            .problem(422, "idempotency-key-reused");
        post(api, "/v1/tenants", "", &json!({"name": "C"})).send().await.problem(400, "header");
        post(api, "/v1/tenants", &"k".repeat(129), &json!({"name": "C"}))
            .send()
            .await
            .problem(400, "header");
        assert_eq!(api.count("SELECT count(*) FROM tenants").await, 2);
    })
    .await;
}

#[tokio::test]
async fn parallel_repetitions_have_one_effect() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let keys = format!("{}/keys", world.consumer);
        let body = json!({"name": "parallel"});
        let calls: Vec<_> =
            (0..20).map(|_| tokio::spawn(post(api, &keys, "k", &body).send())).collect();
        let mut answers = Vec::new();
        for call in calls {
            answers.push(call.await.unwrap().expect(201));
        }
        assert!(
            answers.iter().all(|answer| answer.body == answers[0].body),
            "all get the same key"
        );
        let replayed = answers
            .iter()
            .filter(|answer| answer.headers.contains_key("idempotency-replayed"))
            .count();
        assert_eq!(replayed, 19);
        assert_eq!(api.count("SELECT count(*) FROM api_keys WHERE name = 'parallel'").await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_failed_request_leaves_its_key_free() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let sites = format!("{}/sites", world.tenant);
        post(api, &sites, "k", &json!({"name": "x", "slug": "acme"}))
            .send()
            .await
            .problem(409, "taken");
        post(api, &sites, "k", &json!({"name": "x", "slug": "free"})).send().await.expect(201);
    })
    .await;
}

#[tokio::test]
async fn a_kept_answer_cannot_be_read_from_the_database() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let made =
            post(api, &format!("{}/keys", world.consumer), "secret-idempotency-key", &json!({}))
                .send()
                .await;
        let key = made.expect(201).json()["key"].as_str().unwrap().to_owned();
        let dump: Vec<Vec<u8>> = sqlx::query_scalar("SELECT sealed_body FROM idempotency_keys")
            .fetch_all(&api.superuser)
            .await
            .unwrap();
        assert_eq!(dump.len(), 1);
        for part in [key.as_bytes(), &key.as_bytes()[9..20], b"location", b"hint"] {
            assert!(!dump[0].windows(part.len()).any(|window| window == part));
        }
    })
    .await;
}
