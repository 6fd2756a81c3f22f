//! Service tokens: the credentials of a tenant's programs.

use std::time::Duration;

use axum::http::Method;
use chrono::SubsecRound as _;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Api, id_of, with_api};
use crate::publishing::World;

async fn make(api: &Api, tenant: &str, body: Value) -> (String, String) {
    let made = api.post(&format!("{tenant}/service-tokens"), body).await.expect(201);
    assert_eq!(made.header("cache-control"), "no-store");
    (made.json()["token"].as_str().unwrap().to_owned(), made.location())
}

#[tokio::test]
async fn a_token_is_shown_once_and_works_until_it_is_revoked() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let (token, place) =
            make(api, &world.tenant, json!({"name": "CI", "role": "developer"})).await;
        assert!(token.starts_with("tns_") && token.len() == 44);
        for reply in [
            api.get(&place).await.expect(200),
            api.get(&format!("{}/service-tokens", world.tenant)).await,
        ] {
            assert!(!reply.text().contains(&token));
        }
        let audited =
            api.count("SELECT count(*) FROM audit_log WHERE action = 'service_token.create'").await;
        assert_eq!(audited, 2);
        let kept = "SELECT count(*) FROM audit_log \
            WHERE coalesce(before::text, '') || coalesce(after::text, '') LIKE '%";
        assert_eq!(api.count(&format!("{kept}{token}%'")).await, 0);
        let plans = format!("{}/plans", world.site);
        let post = || api.call_as(&token, Method::POST, &plans);
        post().json(&json!({"name": "Silver"})).send().await.expect(201);
        let by = "SELECT count(*) FROM audit_log WHERE actor_kind = 'service' \
            AND action = 'plan.create' AND actor_id = '";
        assert_eq!(api.count(&format!("{by}{}'", id_of(&place))).await, 1);
        api.delete(&place).await.expect(204);
        post().json(&json!({"name": "Bronze"})).send().await.problem(401, "invalid-token");
        assert!(api.get(&place).await.expect(200).json()["revoked_at"].is_string());
    })
    .await;
}

#[tokio::test]
async fn a_repetition_gets_the_same_token() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let path = format!("{}/service-tokens", world.tenant);
        let admin = api.colleague(id_of(&world.tenant), json!({"role": "admin"})).await;
        let (service, _) =
            make(api, &world.tenant, json!({"name": "Admin", "role": "admin"})).await;
        for caller in [api.token.reveal(), &admin.token, &service] {
            let post = || {
                let call = api.call_as(caller, Method::POST, &path).header("idempotency-key", "k");
                call.json(&json!({"name": "CI", "role": "viewer"}))
            };
            let first = post().send().await.expect(201);
            let again = post().send().await.expect(201);
            assert_eq!(again.header("idempotency-replayed"), "true");
            assert_eq!(again.body, first.body);
        }
        let tokens =
            api.count("SELECT count(DISTINCT digest) FROM service_tokens WHERE name = 'CI'").await;
        // One of them is the world's.
        assert_eq!(tokens, 4);
    })
    .await;
}

#[tokio::test]
async fn a_token_has_the_scopes_and_the_sites_that_it_was_given() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let other = World::site(api, &world.tenant, "acme-two").await;
        let body =
            json!({"name": "CI", "role": "developer", "scopes": ["plans:write", "routes:read"]});
        let (token, _) = make(api, &world.tenant, body).await;
        let send = async |method: Method, path: &str, body: Value| {
            api.call_as(&token, method, path).json(&body).send().await
        };
        send(Method::POST, &format!("{}/plans", world.site), json!({"name": "Silver"}))
            .await
            .expect(201);
        send(Method::GET, &world.plan, json!({})).await.expect(200);
        send(Method::GET, &world.route, json!({})).await.expect(200);
        let refused =
            send(Method::PATCH, &world.route, json!({"name": "x"})).await.problem(403, "scope");
        assert!(refused.text().contains("routes:write"), "{}", refused.text());
        send(Method::GET, &world.key, json!({})).await.problem(403, "scope");

        let sites = json!([{"site_id": id_of(&other.site), "role": "developer"}]);
        let (token, _) =
            make(api, &world.tenant, json!({"name": "Two", "role": null, "sites": sites})).await;
        let get = async |path: &str| api.call_as(&token, Method::GET, path).send().await;
        get(&other.plan).await.expect(200);
        get(&world.plan).await.problem(404, "not-found");
        get(&world.tenant).await.expect(200);
        get(&format!("{}/service-tokens", world.tenant)).await.problem(403, "forbidden");
        let listed = get(&format!("{}/sites", world.tenant)).await.expect(200).json();
        let ids: Vec<_> =
            listed["items"].as_array().unwrap().iter().map(|site| site["id"].clone()).collect();
        assert_eq!(ids, [json!(id_of(&other.site))]);
    })
    .await;
}

#[tokio::test]
async fn a_token_gives_away_no_more_than_it_has() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let path = format!("{}/service-tokens", world.tenant);
        let soon = chrono::Utc::now().trunc_subsecs(0) + chrono::TimeDelta::hours(1);
        let later = soon + chrono::TimeDelta::hours(1);
        let scopes = json!(["service-tokens:write", "routes:write"]);
        let body = json!({"name": "Maker", "role": "admin", "scopes": scopes, "expires_at": soon});
        let (maker, _) = make(api, &world.tenant, body).await;
        let give =
            async |body: Value| api.call_as(&maker, Method::POST, &path).json(&body).send().await;
        let good =
            json!({"name": "x", "role": "admin", "scopes": ["routes:read"], "expires_at": soon});
        give(good.clone()).await.expect(201);
        for (field, value) in [
            ("scopes", json!([])),
            ("scopes", json!(["keys:read"])),
            ("expires_at", json!(later)),
            ("expires_at", json!(null)),
        ] {
            let mut more = good.clone();
            more[field] = value;
            give(more).await.problem(403, "more-than-own");
        }
        // Only people invite people.
        let (admin, _) = make(api, &world.tenant, json!({"name": "Admin", "role": "admin"})).await;
        let invite = api.call_as(&admin, Method::POST, &format!("{}/invitations", world.tenant));
        invite
            .json(&json!({"email": "a@example.test", "role": "admin"}))
            .send()
            .await
            .problem(403, "forbidden");
    })
    .await;
}

#[tokio::test]
async fn bodies_are_checked() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let path = format!("{}/service-tokens", world.tenant);
        for (body, fields) in [
            (json!({"name": ""}), &["name", "role"][..]),
            (json!({"name": "x", "role": "owner"}), &["role"]),
            (
                json!({"name": "x", "role": "viewer", "scopes": ["read", "x:read", "keys"]}),
                &["scopes[1]", "scopes[2]"],
            ),
            (
                json!({"name": "x", "role": "viewer", "expires_at": "2020-01-01T00:00:00Z"}),
                &["expires_at"],
            ),
            (
                json!({"name": "x", "sites": [{"site_id": Uuid::now_v7(), "role": "viewer"}]}),
                &["sites"],
            ),
        ] {
            api.post(&path, body).await.problem(422, "invalid").fields(fields);
        }
    })
    .await;
}

#[tokio::test]
async fn an_expired_token_is_refused_and_the_use_of_a_good_one_is_noted() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let (token, place) =
            make(api, &world.tenant, json!({"name": "CI", "role": "viewer"})).await;
        let get = async || api.call_as(&token, Method::GET, &world.tenant).send().await;
        get().await.expect(200);
        let until = tokio::time::Instant::now() + Duration::from_secs(30);
        while api.get(&place).await.json()["last_used_at"].is_null() {
            assert!(tokio::time::Instant::now() < until, "its use was not noted");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(api.get(&place).await.etag(), "\"1\"", "its use is no change of it");
        sqlx::query("UPDATE service_tokens SET expires_at = now()")
            .execute(&api.superuser)
            .await
            .unwrap();
        get().await.problem(401, "invalid-token");
    })
    .await;
}
