//! Settings of each object: kept, answered whole, replaced whole, and refused with the place of the
//! fault.

use serde_json::{Value, json};

use crate::harness::{Api, with_api};
use crate::publishing::World;

/// A limit and a quota, complete.
fn limits() -> (Value, Value) {
    (
        json!([{"name": "burst", "requests": 10, "per": "second", "burst": 20,
            "by": ["client_ip", {"header": "x-user"}]}]),
        json!([{"name": "monthly", "requests": 1_000_000, "per": "month", "by": []}]),
    )
}

/// Settings for each object, with every field that its kind has.
fn whole(world: &World) -> Vec<(&str, Value)> {
    let (limits, quotas) = limits();
    let ip = json!({"allow": ["192.0.2.0/24", "2001:db8::/32"], "deny": ["192.0.2.7"]});
    let part = json!({"auth": {"all_of": ["key", "signature"]}, "scopes": ["read"],
        "limits": limits, "quotas": quotas});
    let of_key = json!({"scopes": ["read", "write"], "ip": ip, "limits": limits, "quotas": quotas});
    let subjects = json!([{"issuer": "https://login.example/", "value": "app-1"}]);
    vec![
        (
            &world.tenant,
            json!({"time_zone": "Europe/Berlin", "limits": limits, "quotas": quotas,
                "max_concurrent_requests": 100, "weight": 500}),
        ),
        (
            &world.site,
            json!({
                "key_sources": [{"in": "bearer"}, {"in": "basic"},
                    {"in": "header", "name": "X-Token"}, {"in": "query", "name": "key"}],
                "auth": {"any_of": ["jwt", "key", "signature"]},
                "challenges": true,
                "ip": ip,
                "signatures": {
                    "components": ["@method", "@authority", "content-type"],
                    "max_age_seconds": 60,
                    "skew_seconds": 5,
                    "require_nonce": false,
                    "require_content_digest": false,
                    "max_body_bytes": 1024,
                },
                "limits": limits,
                "quotas": quotas,
                "rate_limit_headers": "refused",
            }),
        ),
        (&world.api, part.clone()),
        (&world.route, part),
        (&world.plan, json!({"limits": limits, "quotas": quotas})),
        (
            &world.consumer,
            json!({"scopes": ["admin"], "subjects": subjects, "ip": ip, "limits": limits,
                "quotas": quotas}),
        ),
        (&world.key, of_key.clone()),
        (&world.signing_key, of_key),
    ]
}

async fn settings(api: &Api, place: &str) -> Value {
    api.get(place).await.expect(200).json()["settings"].clone()
}

#[tokio::test]
async fn they_are_kept_and_replaced_as_a_whole() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        for (place, new) in whole(&world) {
            let defaults = settings(api, place).await;
            assert!(defaults.is_object(), "{place}: {defaults}");
            let before = api.get(place).await;
            let after = api.patch(place, json!({"settings": new})).await.expect(200);
            assert_ne!(after.etag(), before.etag());
            assert_eq!(after.json()["settings"], new, "{place}");
            assert_eq!(settings(api, place).await, new, "{place}");

            // A change of another field leaves them alone.
            api.patch(place, json!({})).await.expect(200);
            assert_eq!(settings(api, place).await, new, "{place}");

            // Fields that are not sent get their defaults.
            let limits = json!({"limits": new["limits"]});
            let mut expected = defaults.clone();
            expected["limits"] = new["limits"].clone();
            let after = api.patch(place, json!({"settings": limits})).await.expect(200);
            assert_eq!(after.json()["settings"], expected, "{place}");
            let after = api.patch(place, json!({"settings": {}})).await.expect(200);
            assert_eq!(after.json()["settings"], defaults, "{place}");
        }
    })
    .await;
}

#[tokio::test]
async fn new_objects_can_have_them() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let whole = whole(&world);
        let new = |place: &str, fields: Value| {
            let (_, settings) = whole.iter().find(|(known, _)| *known == place).unwrap();
            let mut body = fields;
            body["settings"] = settings.clone();
            (settings.clone(), body)
        };
        let site = &world.site;
        for (list, (settings, body)) in [
            ("/v1/tenants".to_owned(), new(&world.tenant, json!({"name": "Second"}))),
            (
                format!("{}/sites", world.tenant),
                new(site, json!({"name": "Second", "slug": "second"})),
            ),
            (
                format!("{site}/apis"),
                new(&world.api, json!({"name": "Second", "base_path": "/second"})),
            ),
            (format!("{}/routes", world.version), new(&world.route, json!({"path": "/second"}))),
            (format!("{site}/plans"), new(&world.plan, json!({"name": "Second"}))),
            (format!("{site}/consumers"), new(&world.consumer, json!({"name": "Second"}))),
            (format!("{}/keys", world.consumer), new(&world.key, json!({}))),
            (
                format!("{}/signing-keys", world.consumer),
                new(&world.signing_key, json!({"algorithm": "hmac-sha256"})),
            ),
        ] {
            let reply = api.post(&list, body).await.expect(201);
            assert_eq!(reply.json()["settings"], settings, "{list}");
            let read = api.get(&reply.location()).await.expect(200).json();
            assert_eq!(read["settings"], settings, "{list}");
            let items = api.get(&list).await.expect(200).json()["items"].clone();
            assert!(items.as_array().unwrap().contains(&read), "{list}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_longest_lists_of_addresses_are_taken() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let range =
            |n: u32| format!("2001:db8:{:04x}:{:04x}:ffff:ffff:ffff:fff0/124", n >> 16, n & 0xffff);
        let ranges: Vec<_> = (0..10_000).map(range).collect();
        let body = json!({"settings": {"ip": {"allow": ranges, "deny": ranges}}});
        api.patch(&world.site, body).await.expect(200);
        assert_eq!(
            settings(api, &world.site).await["ip"]["allow"].as_array().unwrap().len(),
            10_000
        );
        let ranges: Vec<_> = (0..10_001).map(range).collect();
        let body = json!({"settings": {"ip": {"deny": ranges}}});
        api.patch(&world.site, body).await.problem(422, "invalid").fields(&["settings.ip.deny"]);
    })
    .await;
}

#[tokio::test]
async fn a_consumer_with_its_keys_has_room_for_the_longest_lists_once() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let ranges: Vec<_> =
            (0..10_000).map(|n| format!("2001:db8:{:x}:{:x}::1", n / 4096, n % 4096)).collect();
        let longest = json!({"settings": {"ip": {"allow": ranges, "deny": ranges}}});
        api.patch(&world.consumer, longest.clone()).await.expect(200);
        let keys = format!("{}/keys", world.consumer);
        let refused = api.post(&keys, longest.clone()).await;
        let text = refused.problem(422, "invalid").fields(&["settings"]).json().to_string();
        assert!(text.contains("524288 are allowed") && text.contains("another consumer"), "{text}");
        api.patch(&world.key, longest.clone()).await.problem(422, "invalid").fields(&["settings"]);
        // A change that makes it smaller is taken, and makes room.
        api.patch(&world.consumer, json!({"settings": {}})).await.expect(200);
        api.post(&keys, longest).await.expect(201);
    })
    .await;
}

#[tokio::test]
async fn an_import_leaves_those_of_routes_that_stay() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let public = json!({"auth": "none", "scopes": [], "limits": [], "quotas": []});
        api.patch(&world.route, json!({"settings": public})).await.expect(200);
        let document = json!({
            "openapi": "3.1.0",
            "security": [{"token": []}],
            "paths": {"/orders/{id}": {"get": {"operationId": "renamed"}}, "/new": {"get": {}}},
        });
        let reply =
            api.post(&format!("{}/import", world.version), document).await.expect(200).json();
        let warning = reply["warnings"][0].as_str().unwrap();
        assert!(warning.contains("security schemes") && warning.contains("`token`"), "{warning}");
        let route = api.get(&world.route).await.expect(200).json();
        assert_eq!((&route["name"], &route["settings"]), (&json!("renamed"), &public));
        let routes = api.get(&format!("{}/routes", world.version)).await.json()["items"].clone();
        let new = routes
            .as_array()
            .unwrap()
            .iter()
            .find(|route| route["path"] == "/new")
            .unwrap()
            .clone();
        assert_eq!(new["settings"], json!({"scopes": [], "limits": [], "quotas": []}));
    })
    .await;
}

#[tokio::test]
async fn a_key_that_is_rotated_keeps_them() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let scopes = json!({"settings": {"scopes": ["read"]}});
        let changed = api.patch(&world.key, scopes).await.expect(200).json();
        api.patch(&world.key, json!({"name": "renamed"})).await.expect(200);
        let new = api.post(&format!("{}/rotate", world.key), json!({})).await.expect(201).json();
        assert_eq!((&new["name"], &new["settings"]), (&json!("renamed"), &changed["settings"]));
        assert_eq!(new["settings"]["scopes"], json!(["read"]));
    })
    .await;
}
