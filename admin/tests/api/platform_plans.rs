//! Platform plans: made, changed and removed by operators, and enforced for the tenants that have
//! them.

use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::{Api, Reply, id_of, patiently, with_api};
use crate::publishing::{World, new_signing_key};

/// The plan that always exists.
const DEFAULT: &str = "/v1/platform-plans/00000000-0000-7000-8000-000000000001";

/// Makes a plan with these limits, and gives it to a tenant.
async fn plan_of(api: &Api, tenant: &str, limits: Value) -> String {
    let name = format!("plan of {}", id_of(tenant));
    let plan = api.make("/v1/platform-plans", json!({"name": name, "limits": limits})).await;
    api.patch(tenant, json!({"platform_plan_id": id_of(&plan)})).await.expect(200);
    plan
}

/// Fails if the answer is not the refusal by this limit.
#[track_caller]
fn reached(reply: Reply, name: &str, allowed: i64, used: i64) {
    let problem = reply.problem(409, "limit-reached").json();
    assert_eq!(
        problem["limit"],
        json!({"name": name, "allowed": allowed, "used": used}),
        "{problem}"
    );
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains(&allowed.to_string()) && detail.contains("ask the operator"),
        "{detail}"
    );
}

async fn limits(api: &Api, tenant: &str) -> Value {
    api.get(&format!("{tenant}/limits")).await.expect(200).json()
}

#[tokio::test]
async fn a_plan_is_made_changed_and_removed_by_operators() {
    with_api(async |api| {
        let given = json!({"sites": 3, "requests_per_month": 1000});
        let new = json!({"name": "Small", "limits": given});
        let call = || {
            api.call(Method::POST, "/v1/platform-plans")
                .header("idempotency-key", "once")
                .json(&new)
        };
        let made = call().send().await.expect(201);
        assert_eq!(call().send().await.expect(201).body, made.body);
        let (plan, body) = (made.location(), made.json());
        assert_eq!((&body["name"], &body["is_default"]), (&json!("Small"), &json!(false)));
        assert_eq!((&body["limits"]["sites"], &body["limits"]["keys"]), (&json!(3), &Value::Null));
        api.post("/v1/platform-plans", json!({"name": "Small"}))
            .await
            .problem(409, "taken")
            .fields(&["name"]);
        let wrong =
            json!({"name": "", "limits": {"sites": -1, "members": 0, "requests_per_second": 0}});
        let fields = ["name", "limits.sites", "limits.members", "limits.requests_per_second"];
        api.post("/v1/platform-plans", wrong).await.problem(422, "invalid").fields(&fields);
        let unknown = json!({"name": "x", "limits": {"seats": 1}});
        api.post("/v1/platform-plans", unknown)
            .await
            .problem(422, "invalid")
            .fields(&["limits.seats"]);
        api.post("/v1/platform-plans", json!({"name": "x", "limits": [1]}))
            .await
            .problem(422, "invalid");

        let changed =
            api.patch(&plan, json!({"limits": {"sites": null, "keys": 5}})).await.expect(200);
        assert_eq!(changed.etag(), "\"2\"");
        let now = changed.json()["limits"].clone();
        assert_eq!(
            (&now["sites"], &now["keys"], &now["requests_per_month"]),
            (&Value::Null, &json!(5), &json!(1000))
        );
        let known = api.call(Method::GET, &plan).header("if-none-match", "\"2\"").send().await;
        assert_eq!(known.status, 304);
        let stale =
            api.call(Method::PATCH, &plan).header("if-match", "\"1\"").json(&json!({"name": "y"}));
        stale.send().await.problem(412, "changed");
        let page = api.get("/v1/platform-plans?limit=1").await.expect(200).json();
        assert_eq!(
            (&page["items"][0]["is_default"], &page["items"][0]["name"]),
            (&json!(true), &json!("default"))
        );
        let rest = format!("/v1/platform-plans?cursor={}", page["next_cursor"].as_str().unwrap());
        assert_eq!(api.get(&rest).await.expect(200).json()["items"], json!([changed.json()]));

        let tenant = api
            .make("/v1/tenants", json!({"name": "Acme", "platform_plan_id": id_of(&plan)}))
            .await;
        api.delete(&plan).await.problem(409, "in-use");
        api.delete(DEFAULT).await.problem(409, "in-use");
        api.patch(&tenant, json!({"platform_plan_id": id_of(DEFAULT)})).await.expect(200);
        let absent = json!({"platform_plan_id": id_of(&tenant)});
        api.patch(&tenant, absent).await.problem(422, "invalid").fields(&["platform_plan_id"]);
        api.delete(&plan).await.expect(204);
        api.get(&plan).await.problem(404, "not-found");
        for (action, rows) in [("create", 1), ("update", 1), ("delete", 1)] {
            let query =
                format!("SELECT count(*) FROM audit_log WHERE action = 'platform_plan.{action}'");
            assert_eq!(api.count(&query).await, rows, "{action}");
        }
        let moved = "SELECT count(*) FROM audit_log WHERE action = 'tenant.update'
                     AND before ->> 'platform_plan_id' <> after ->> 'platform_plan_id'";
        assert_eq!(api.count(moved).await, 1);
    })
    .await;
}

#[tokio::test]
async fn of_a_hundred_keys_at_once_a_tenant_gets_as_many_as_its_plan_allows() {
    with_api(async |api| {
        let (world, other) = (World::make(api, "acme").await, World::make(api, "globex").await);
        plan_of(api, &world.tenant, json!({"keys": 12})).await;
        let mut made = Vec::new();
        for number in 0..100 {
            // The keys belong to two consumers, whose rows are locked one by one.
            let consumer = if number % 2 == 0 {
                world.consumer.clone()
            } else {
                api.make(
                    &format!("{}/consumers", world.site),
                    json!({"name": format!("c{number}")}),
                )
                .await
            };
            made.push(api.call(Method::POST, &format!("{consumer}/keys")).json(&json!({})));
        }
        let made: Vec<_> = made
            .into_iter()
            .map(|call| tokio::spawn(async move { patiently(|| call.clone().send()).await }))
            .collect();
        let mut new = 0;
        for reply in made {
            let reply = reply.await.unwrap();
            match reply.status {
                201 => new += 1,
                _ => reached(reply, "keys", 12, 12),
            }
        }
        // The consumer had an API key and a signing key.
        assert_eq!(new, 10);
        assert_eq!(limits(api, &world.tenant).await["keys"], json!({"limit": 12, "used": 12}));
        let rows =
            format!("SELECT count(*) FROM api_keys WHERE tenant_id = '{}'", id_of(&world.tenant));
        assert_eq!(api.count(&rows).await, 11);
        api.make(&format!("{}/keys", other.consumer), json!({})).await;
    })
    .await;
}

#[tokio::test]
async fn a_key_counts_while_it_works() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        plan_of(api, &world.tenant, json!({"keys": 2})).await;
        let keys = format!("{}/keys", world.consumer);
        let signing_keys = format!("{}/signing-keys", world.consumer);
        reached(api.post(&keys, json!({})).await, "keys", 2, 2);
        reached(api.post(&signing_keys, new_signing_key()).await, "keys", 2, 2);
        // A tenant at its limit can still replace keys.
        let rotated = api
            .post(&format!("{}/rotate", world.key), json!({"grace_seconds": 600}))
            .await
            .expect(201);
        reached(api.post(&keys, json!({})).await, "keys", 2, 2);
        let new = format!("{keys}/{}", rotated.json()["id"].as_str().unwrap());
        api.delete(&new).await.expect(204);
        let soon = json!({"expires_at": "2099-01-01T00:00:00Z"});
        let expiring = api.make(&keys, soon).await;
        reached(api.post(&keys, json!({})).await, "keys", 2, 2);
        let expire = format!(
            "UPDATE api_keys SET created_at = now() - interval '2 h', expires_at = now() - \
            interval '1 h' WHERE id = '{}'",
            id_of(&expiring)
        );
        sqlx::query(sqlx::AssertSqlSafe(expire)).execute(&api.superuser).await.unwrap();
        assert_eq!(limits(api, &world.tenant).await["keys"]["used"], 1);
        api.make(&keys, json!({})).await;
        reached(api.post(&keys, json!({})).await, "keys", 2, 2);
        assert_eq!(limits(api, &world.tenant).await["keys"]["used"], 2);
        api.delete(&world.consumer).await.expect(204);
        assert_eq!(limits(api, &world.tenant).await["keys"]["used"], 0);
    })
    .await;
}

#[tokio::test]
async fn routes_are_bounded_one_by_one_and_in_imports() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        plan_of(api, &world.tenant, json!({"routes": 3})).await;
        let import = async |paths: &[&str], query: &str| {
            let paths: Value =
                paths.iter().map(|path| ((*path).to_owned(), json!({"get": {}}))).collect();
            let document =
                json!({"openapi": "3.1.0", "info": {"title": "x", "version": "1"}, "paths": paths});
            api.post(&format!("{}/import{query}", world.version), document).await
        };
        import(&["/a", "/b", "/c"], "").await.expect(200);
        let routes = format!("{}/routes", world.version);
        reached(api.post(&routes, json!({"path": "/d"})).await, "routes", 3, 3);
        reached(import(&["/a", "/b", "/c", "/d"], "").await, "routes", 3, 3);
        reached(import(&["/a", "/b", "/c", "/d"], "?dry_run=true").await, "routes", 3, 3);
        // As many routes go as come.
        import(&["/a", "/b", "/e"], "").await.expect(200);
        import(&["/a"], "").await.expect(200);
        assert_eq!(limits(api, &world.tenant).await["routes"], json!({"limit": 3, "used": 1}));
        api.make(&routes, json!({"path": "/f"})).await;
        api.delete(&world.version).await.expect(204);
        assert_eq!(limits(api, &world.tenant).await["routes"]["used"], 0);
    })
    .await;
}

#[tokio::test]
async fn a_plan_that_is_lowered_takes_nothing_away() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let sites = format!("{}/sites", world.tenant);
        let second = api.make(&sites, json!({"name": "Two", "slug": "two"})).await;
        let plan = plan_of(api, &world.tenant, json!({"sites": 2})).await;
        api.patch(&plan, json!({"limits": {"sites": 1}})).await.expect(200);
        let seen = limits(api, &world.tenant).await;
        assert_eq!(seen["sites"], json!({"limit": 1, "used": 2}));
        assert_eq!(seen["platform_plan"]["id"], id_of(&plan));
        reached(api.post(&sites, json!({"name": "x", "slug": "x"})).await, "sites", 1, 2);
        api.patch(&second, json!({"name": "Second"})).await.expect(200);
        api.delete(&second).await.expect(204);
        reached(api.post(&sites, json!({"name": "x", "slug": "x"})).await, "sites", 1, 1);
        api.patch(&plan, json!({"limits": {"sites": 2}})).await.expect(200);
        api.make(&sites, json!({"name": "x", "slug": "x"})).await;
    })
    .await;
}

#[tokio::test]
async fn the_bytes_of_the_configuration_are_bounded_whatever_holds_them() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let used = limits(api, &world.tenant).await["config_bytes"]["used"].as_i64().unwrap();
        assert!(used > 100, "{used}");
        plan_of(api, &world.tenant, json!({"config_bytes": used + 10})).await;
        let long = "x".repeat(100);
        let settings = json!({"settings": {"scopes": [long]}});
        for (place, changes) in [
            (&world.site, json!({"name": long})),
            (&world.plan, json!({"name": long})),
            (&world.route, json!({"name": long})),
            (&world.consumer, settings.clone()),
            (&world.key, settings),
        ] {
            reached(api.patch(place, changes).await, "config_bytes", used + 10, used);
        }
        // The endpoints are replaced as a whole.
        let endpoints =
            json!({"endpoints": [{"address": format!("{}.example", "x".repeat(60)), "port": 1}]});
        reached(api.patch(&world.upstream, endpoints).await, "config_bytes", used + 10, used);
        api.patch(&world.plan, json!({"name": "Silver"})).await.expect(200);
        assert_eq!(limits(api, &world.tenant).await["config_bytes"]["used"], used + 2);
        api.patch(&world.plan, json!({"name": "Gold"})).await.expect(200);
        api.delete(&world.site).await.expect(204);
        assert_eq!(limits(api, &world.tenant).await["config_bytes"]["used"], 0);
    })
    .await;
}

#[tokio::test]
async fn who_is_over_a_limit_replaces_and_takes_away() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let import = async |paths: &[&str]| {
            let paths: Value =
                paths.iter().map(|path| ((*path).to_owned(), json!({"get": {}}))).collect();
            let document =
                json!({"openapi": "3.1.0", "info": {"title": "x", "version": "1"}, "paths": paths});
            api.post(&format!("{}/import", world.version), document).await
        };
        import(&["/a", "/b", "/c", "/d"]).await.expect(200);
        let plan = plan_of(api, &world.tenant, json!({"routes": 1, "config_bytes": 10})).await;
        let used = limits(api, &world.tenant).await["config_bytes"]["used"].as_i64().unwrap();
        let endpoint = |address: &str| json!({"endpoints": [{"address": address, "port": 1}]});
        // The new address is as long as the old one.
        api.patch(&world.upstream, endpoint("10.9.0.2")).await.expect(200);
        reached(api.patch(&world.upstream, endpoint("10.9.0.21")).await, "config_bytes", 10, used);
        assert_eq!(limits(api, &world.tenant).await["config_bytes"]["used"], used);
        import(&["/a", "/b", "/c", "/e"]).await.expect(200);
        import(&["/a", "/f"]).await.expect(200);
        api.patch(&plan, json!({"limits": {"config_bytes": null, "keys": 1}})).await.expect(200);
        api.post(&format!("{}/rotate", world.key), json!({"grace_seconds": 600})).await.expect(201);
        reached(import(&["/a", "/b", "/c"]).await, "routes", 1, 2);
        assert_eq!(limits(api, &world.tenant).await["routes"], json!({"limit": 1, "used": 2}));
    })
    .await;
}

#[tokio::test]
async fn who_is_invited_to_a_full_tenant_is_told_so() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let plan = plan_of(api, &world.tenant, json!({"members": 1})).await;
        let invited = api.person().await;
        let new = json!({"email": invited.email, "role": "viewer"});
        let made = api.post(&format!("{}/invitations", world.tenant), new).await.expect(201).json();
        let accept = async || {
            let call = api.call_as(&invited.token, Method::POST, "/v1/me/invitations");
            call.json(&json!({"token": made["token"]})).send().await
        };
        reached(accept().await, "members", 1, 1);
        api.patch(&plan, json!({"limits": {"members": 2}})).await.expect(200);
        accept().await.expect(201);
        assert_eq!(limits(api, &world.tenant).await["members"], json!({"limit": 2, "used": 2}));
    })
    .await;
}

#[tokio::test]
async fn a_tenant_sees_its_own_plan_and_no_other() {
    with_api(async |api| {
        let (world, other) = (World::make(api, "acme").await, World::make(api, "globex").await);
        let plan = plan_of(api, &other.tenant, json!({"sites": 7})).await;
        let viewer = api.colleague(id_of(&world.tenant), json!({"role": "viewer"})).await;
        let get = async |path: &str| api.call_as(&viewer.token, Method::GET, path).send().await;
        let seen = get(&format!("{}/limits", world.tenant)).await.expect(200).json();
        assert_eq!(seen["platform_plan"]["name"], "default");
        assert_eq!(seen["sites"], json!({"limit": null, "used": 1}));
        get(&format!("{}/limits", other.tenant)).await.problem(404, "not-found");
        get(&plan).await.problem(403, "forbidden");
        let admin = api.colleague(id_of(&world.tenant), json!({"role": "admin"})).await;
        let change = json!({"platform_plan_id": id_of(&plan)});
        let call = api.call_as(&admin.token, Method::PATCH, &world.tenant).json(&change);
        call.send().await.problem(403, "forbidden");
    })
    .await;
}

#[tokio::test]
async fn another_limit_of_requests_is_told_to_the_gateways() {
    with_api(async |api| {
        let (world, other) = (World::make(api, "acme").await, World::make(api, "globex").await);
        let marked = async |world: &World| {
            api.count(&format!(
                "SELECT count(*) FROM change_log WHERE site_id = '{}'",
                id_of(&world.site)
            ))
            .await
        };
        let before = [marked(&world).await, marked(&other).await];
        let plan = plan_of(api, &world.tenant, json!({"sites": 9})).await;
        assert_eq!(marked(&world).await, before[0], "gateways do not count sites");
        api.patch(&plan, json!({"limits": {"requests_per_month": 5}})).await.expect(200);
        assert_eq!([marked(&world).await, marked(&other).await], [before[0] + 1, before[1]]);
        api.patch(&world.tenant, json!({"platform_plan_id": id_of(DEFAULT)})).await.expect(200);
        assert_eq!(marked(&world).await, before[0] + 2);
        // Several tenants have the plan: all of their sites change at once.
        api.patch(DEFAULT, json!({"limits": {"requests_per_second": 50}})).await.expect(200);
        assert_eq!([marked(&world).await, marked(&other).await], [before[0] + 3, before[1] + 1]);
    })
    .await;
}
