//! The life of a tenant: suspended, served again, closing, kept, erased.

use axum::http::Method;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::harness::{clock, id_of, pass, with_api};
use crate::publishing::World;

#[tokio::test]
async fn the_members_of_a_suspended_tenant_may_only_read() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let other = World::make(api, "globex").await;
        let admin = api.colleague(id_of(&world.tenant), json!({"role": "admin"})).await;
        api.join(id_of(&other.tenant), &admin, &json!({"role": "admin"})).await;
        let made = api
            .post(
                &format!("{}/service-tokens", world.tenant),
                json!({"name": "x", "role": "admin"}),
            )
            .await;
        let token = made.expect(201).json()["token"].as_str().unwrap().to_owned();
        let status = format!("{}/status", world.tenant);
        let marked = async || {
            api.count(&format!(
                "SELECT count(*) FROM change_log WHERE site_id = '{}'",
                id_of(&world.site)
            ))
            .await
        };
        let before = marked().await;
        api.patch(&status, json!({"status": "suspended"}))
            .await
            .problem(422, "invalid")
            .fields(&["reason"]);
        let suspended = api
            .patch(&status, json!({"status": "suspended", "reason": "An invoice"}))
            .await
            .expect(200);
        assert_eq!(suspended.json()["status"], "suspended");
        assert!(marked().await > before, "the gateways are told");
        let plan = async |token: &str, world: &World, name: &str| {
            let call = api.call_as(token, Method::POST, &format!("{}/plans", world.site));
            call.json(&json!({"name": name})).send().await
        };
        for caller in [&admin.token, &token] {
            let seen =
                api.call_as(caller, Method::GET, &world.tenant).send().await.expect(200).json();
            assert_eq!(seen["status_reason"], "An invoice");
            plan(caller, &world, "a").await.problem(403, "tenant-suspended");
            let resume =
                api.call_as(caller, Method::PATCH, &status).json(&json!({"status": "active"}));
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
            api.call_as(&admin.token, Method::POST, &closing)
                .json(&json!({"days": days}))
                .send()
                .await
        };
        let erase = async |days: i64| {
            admin::jobs::erase_tenants::erase_closed(
                &api.store,
                Utc::now() + TimeDelta::days(days),
            )
            .await
            .unwrap();
        };
        close(0).await.problem(422, "invalid").fields(&["days"]);
        close(7).await.expect(200);
        let seen =
            api.call_as(&viewer.token, Method::GET, &world.tenant).send().await.expect(200).json();
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
        api.call_as(&admin.token, Method::GET, &world.tenant)
            .send()
            .await
            .problem(404, "not-found");
        let left =
            format!("SELECT count(*) FROM members WHERE tenant_id = '{}'", id_of(&world.tenant));
        assert_eq!(api.count(&left).await, 0);
        let erased = "SELECT count(*) FROM audit_log WHERE action = 'tenant.delete' \
            AND actor_kind = 'system'";
        assert_eq!(api.count(erased).await, 1);
        api.get(&other.key).await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn a_suspension_stands_in_front_of_a_closing_and_does_not_end_it() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let (closing, status) =
            (format!("{}/closing", world.tenant), format!("{}/status", world.tenant));
        let suspend = async || {
            let body = json!({"status": "suspended", "reason": "An invoice"});
            api.patch(&status, body).await.expect(200).json()
        };
        let serve =
            async || api.patch(&status, json!({"status": "active"})).await.expect(200).json();
        let erase = async |days: i64| {
            admin::jobs::erase_tenants::erase_closed(&api.store, clock() + TimeDelta::days(days))
                .await
                .unwrap();
        };
        let closed = api.post(&closing, json!({"days": 7})).await.expect(200).json();
        let suspended = suspend().await;
        assert_eq!(
            (&suspended["status"], &suspended["closes_at"]),
            (&json!("suspended"), &closed["closes_at"])
        );
        // A suspended tenant loses nothing.
        erase(8).await;
        let served = serve().await;
        assert_eq!(
            (&served["status"], &served["closes_at"]),
            (&json!("closing"), &closed["closes_at"])
        );
        assert_eq!(serve().await, served, "to be served does not end a closing");

        // Both can be changed while it is suspended.
        suspend().await;
        api.delete(&closing).await.expect(204);
        let kept = api.get(&world.tenant).await.json();
        assert_eq!((&kept["status"], &kept["closes_at"]), (&json!("suspended"), &Value::Null));
        assert_eq!(kept["status_reason"], "An invoice");
        assert_eq!(
            api.post(&closing, json!({"days": 3})).await.expect(200).json()["status"],
            "suspended"
        );
        api.delete(&closing).await.expect(204);
        assert_eq!(serve().await["status"], "active");

        // A tenant whose day has come meanwhile has one more day to object.
        api.post(&closing, json!({"days": 7})).await.expect(200);
        suspend().await;
        pass(TimeDelta::days(10));
        let again = serve().await;
        assert_eq!(again["status"], "closing");
        let closes_at: DateTime<Utc> = again["closes_at"].as_str().unwrap().parse().unwrap();
        assert!(
            closes_at > clock() + TimeDelta::hours(23) && closes_at <= clock() + TimeDelta::days(1),
            "{closes_at}"
        );
        erase(0).await;
        api.get(&world.tenant).await.expect(200);
        erase(2).await;
        api.get(&world.tenant).await.problem(404, "not-found");
    })
    .await;
}
