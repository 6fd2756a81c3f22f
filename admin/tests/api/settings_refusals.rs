//! Refused settings, and the fields that the answers name.

use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::{Api, with_api};
use crate::publishing::World;

/// Settings with one limit that is right except for these fields.
fn limit(more: Value) -> Value {
    let mut limit = json!({"name": "a", "requests": 1, "per": "second"});
    limit.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"limits": [limit]})
}

/// Tries to set each of these, and compares the fields that are named.
async fn refused(api: &Api, wrong: Vec<(&String, Value, Vec<&str>)>) {
    for (place, settings, fields) in wrong {
        let before = api.get(place).await.json();
        api.patch(place, json!({"settings": settings}))
            .await
            .problem(422, "invalid")
            .fields(&fields);
        assert_eq!(api.get(place).await.json(), before, "nothing was changed");
    }
}

#[tokio::test]
async fn of_tenants_and_sites() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let wrong = vec![
            (&world.tenant, json!({"time_zone": "Mars/Olympus"}), vec!["settings.time_zone"]),
            (&world.tenant, json!({"weight": 1001}), vec!["settings.weight"]),
            (&world.tenant, json!({"weight": -1}), vec!["settings.weight"]),
            (
                &world.tenant,
                json!({"max_concurrent_requests": 0}),
                vec!["settings.max_concurrent_requests"],
            ),
            (&world.tenant, json!({"zone": "UTC"}), vec!["settings.zone"]),
            (&world.tenant, limit(json!({"requests": 0})), vec!["settings.limits[0].requests"]),
            (&world.site, json!({"auth": "all"}), vec!["settings.auth"]),
            (&world.site, json!({"auth": {"any_of": []}}), vec!["settings.auth.any_of"]),
            (&world.site, json!({"auth": {"any_of": ["cookie"]}}), vec!["settings.auth.any_of[0]"]),
            (&world.site, json!({"key_sources": []}), vec!["settings.key_sources"]),
            (
                &world.site,
                json!({"key_sources": [{"in": "header"}]}),
                vec!["settings.key_sources[0].name"],
            ),
            (
                &world.site,
                json!({"key_sources": [{"in": "header", "name": "Authorization"}]}),
                vec!["settings.key_sources[0].name"],
            ),
            (
                &world.site,
                json!({"ip": {"deny": ["10.0.0.0/33", "::/0", "x"]}}),
                vec!["settings.ip.deny[0]", "settings.ip.deny[2]"],
            ),
            (&world.site, json!({"ip": {"block": []}}), vec!["settings.ip.block"]),
            (
                &world.site,
                json!({"key_sources": [{"in": "bearer", "name": "x"}]}),
                vec!["settings.key_sources[0].name"],
            ),
            (&world.site, json!({"ip": [[], []]}), vec!["settings.ip"]),
            (
                &world.site,
                json!({"signatures": {"max_age_seconds": 0}}),
                vec!["settings.signatures.max_age_seconds"],
            ),
            (
                &world.site,
                json!({"rate_limit_headers": "none"}),
                vec!["settings.rate_limit_headers"],
            ),
            (&world.site, json!(null), vec!["settings"]),
            (&world.site, json!([]), vec!["settings"]),
        ];
        refused(api, wrong).await;
    })
    .await;
}

#[tokio::test]
async fn of_what_a_site_has() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let wrong = vec![
            (&world.api, json!({"scopes": ["a b"]}), vec!["settings.scopes[0]"]),
            (&world.api, limit(json!({"per": "fortnight"})), vec!["settings.limits[0].per"]),
            (&world.api, limit(json!({"brust": 5})), vec!["settings.limits[0].brust"]),
            (&world.route, json!({"auth": "none", "scopes": ["a"]}), vec!["settings.auth"]),
            (
                &world.route,
                limit(json!({"by": [{"header": "host"}]})),
                vec!["settings.limits[0].by[0].header"],
            ),
            (
                &world.plan,
                json!({"quotas": [{"name": "", "requests": 0, "per": "day"}]}),
                vec!["settings.quotas[0].name", "settings.quotas[0].requests"],
            ),
            (&world.plan, json!({"scopes": []}), vec!["settings.scopes"]),
            (&world.plan, limit(json!({"by": ["key", "key"]})), vec!["settings.limits[0].by"]),
            (
                &world.consumer,
                json!({"subjects": [{"issuer": "", "value": ""}]}),
                vec!["settings.subjects[0].issuer", "settings.subjects[0].value"],
            ),
            (
                &world.consumer,
                json!({"subjects": [{"issuer": "a"}]}),
                vec!["settings.subjects[0].value"],
            ),
            (&world.key, limit(json!({"burst": 0})), vec!["settings.limits[0].burst"]),
            (&world.key, json!({"ip": {"allow": ["fe80::1%eth0"]}}), vec!["settings.ip.allow[0]"]),
            (&world.signing_key, json!({"subjects": []}), vec!["settings.subjects"]),
            (&world.signing_key, json!({"scopes": "read"}), vec!["settings.scopes"]),
        ];
        refused(api, wrong).await;
    })
    .await;
}

#[tokio::test]
async fn of_new_objects() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let twice = r#"{"settings": {"challenges": true, "challenges": false}}"#;
        let twice = api.call(Method::PATCH, &world.site).body("application/json", twice);
        twice.send().await.problem(422, "invalid").fields(&["settings.challenges"]);
        let new =
            json!({"name": "x", "slug": "x", "settings": {"auth": {"all_of": ["key", "key"]}}});
        let sites = format!("{}/sites", world.tenant);
        api.post(&sites, new).await.problem(422, "invalid").fields(&["settings.auth.all_of"]);
        let new = json!({"name": " x", "settings": {"time_zone": "x", "weight": 0}});
        let fields = ["name", "settings.weight", "settings.time_zone"];
        api.post("/v1/tenants", new).await.problem(422, "invalid").fields(&fields);
    })
    .await;
}
