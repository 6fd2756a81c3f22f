//! What becomes of a tenant: suspended, served again, closing, kept, erased.

use axum::http::Method;
use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use crate::harness::{id_of, with_api};
use crate::publishing::World;

#[tokio::test]
async fn the_members_of_a_suspended_tenant_may_only_read() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let other = World::make(api, "globex").await;
        let admin = api.colleague(id_of(&world.tenant), json!({"role": "admin"})).await;
        api.join(id_of(&other.tenant), &admin, &json!({"role": "admin"})).await;
        let made = api.post(&format!("{}/service-tokens", world.tenant), json!({"name": "x", "role": "admin"})).await;
        let token = made.expect(201).json()["token"].as_str().unwrap().to_owned();
        let status = format!("{}/status", world.tenant);
        let marked = async || {
            api.count(&format!("SELECT count(*) FROM change_log WHERE site_id = '{}'", id_of(&world.site))).await
        };
        let before = marked().await;
        api.patch(&status, json!({"status": "suspended"})).await.problem(422, "invalid").fields(&["reason"]);
        let suspended = api.patch(&status, json!({"status": "suspended", "reason": "An invoice"})).await.expect(200);
        assert_eq!(suspended.json()["status"], "suspended");
        assert!(marked().await > before, "the gateways are told");
        let plan = async |token: &str, world: &World, name: &str| {
            let call = api.call_as(token, Method::POST, &format!("{}/plans", world.site));
            call.json(&json!({"name": name})).send().await
        };
        for caller in [&admin.token, &token] {
            let seen = api.call_as(caller, Method::GET, &world.tenant).send().await.expect(200).json();
            assert_eq!(seen["status_reason"], "An invoice");
            plan(caller, &world, "a").await.problem(403, "tenant-suspended");
            let resume = api.call_as(caller, Method::PATCH, &status).json(&json!({"status": "active"}));
            resume.send().await.problem(403, "forbidden");
        }
        plan(&admin.token, &other, "a").await.expect(201);
        plan(api.token.reveal(), &world, "by the operator").await.expect(201);
        let served = api.patch(&status, json!({"status": "active"})).await.expect(200).json();
        assert_eq!((&served["status"], &served["status_reason"]), (&json!("active"), &Value::Null));
        plan(&admin.token, &world, "a").await.expect(201);
    })
    .await;
}

#[tokio::test]
async fn a_tenant_that_closes_can_be_kept_until_it_is_erased() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let other = World::make(api, "globex").await;
        let admin = api.colleague(id_of(&world.tenant), json!({"role": "admin"})).await;
        let viewer = api.colleague(id_of(&world.tenant), json!({"role": "viewer"})).await;
        let closing = format!("{}/closing", world.tenant);
        let close = async |days: i64| {
            api.call_as(&admin.token, Method::POST, &closing).json(&json!({"days": days})).send().await
        };
        let erase = async |days: i64| {
            admin::housekeeping::erase_closed(&api.store, Utc::now() + TimeDelta::days(days)).await.unwrap();
        };
        close(0).await.problem(422, "invalid").fields(&["days"]);
        close(7).await.expect(200);
        let seen = api.call_as(&viewer.token, Method::GET, &world.tenant).send().await.expect(200).json();
        assert_eq!(seen["status"], "closing");
        assert!(seen["closes_at"].is_string());
        api.call_as(&viewer.token, Method::DELETE, &closing).send().await.problem(403, "forbidden");
        erase(6).await;
        api.call_as(&admin.token, Method::DELETE, &closing).send().await.expect(204);
        erase(8).await;
        assert_eq!(api.get(&world.tenant).await.expect(200).json()["status"], "active");
        close(7).await.expect(200);
        erase(8).await;
        api.get(&world.tenant).await.problem(404, "not-found");
        api.call_as(&admin.token, Method::GET, &world.tenant).send().await.problem(404, "not-found");
        let left = format!("SELECT count(*) FROM members WHERE tenant_id = '{}'", id_of(&world.tenant));
        assert_eq!(api.count(&left).await, 0);
        let erased = "SELECT count(*) FROM audit_log WHERE action = 'tenant.delete' AND actor_kind = 'system'";
        assert_eq!(api.count(erased).await, 1);
        api.get(&other.key).await.expect(200);
    })
    .await;
}
