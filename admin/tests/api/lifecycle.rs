//! The life of each kind of object: made, read, listed, changed, removed.

use serde_json::{Value, json};

use crate::harness::{Api, Reply, id_of, with_api};
use crate::publishing::World;

/// Reads a new object, changes it, and checks the revisions in the answers.
async fn changed(api: &Api, place: &str, changes: Value) -> Value {
    let read = api.get(place).await.expect(200);
    assert_eq!(read.header("etag"), "\"1\"");
    let list = place.rsplit_once('/').unwrap().0;
    let items = api.get(list).await.expect(200).json()["items"].clone();
    assert!(items.as_array().unwrap().contains(&read.json()), "{items}");

    let after = api.patch(place, changes.clone()).await.expect(200);
    assert_eq!(after.header("etag"), "\"2\"");
    let (before, after) = (read.json(), after.json());
    assert_eq!(api.get(place).await.json(), after);
    for (field, value) in after.as_object().unwrap() {
        let expected = changes.get(field).unwrap_or(&before[field]);
        assert!(value == expected || field == "updated_at", "{field} of {after}");
    }
    after
}

async fn removed(api: &Api, place: &str) {
    let reply = api.delete(place).await.expect(204);
    assert!(reply.body.is_empty());
    api.get(place).await.problem(404, "not-found");
    api.delete(place).await.problem(404, "not-found");
}

/// Asserts that a new object is answered with its path and its tag.
fn is_new(reply: &Reply, list: &str) {
    let place = reply.location();
    assert_eq!(place, format!("{list}/{}", reply.json()["id"].as_str().unwrap()));
    assert_eq!(reply.header("etag"), "\"1\"");
    let id: uuid::Uuid = id_of(&place).parse().unwrap();
    assert_eq!(id.get_version_num(), 7);
    for field in ["created_at", "updated_at"] {
        let time = reply.json()[field].as_str().unwrap().to_owned();
        assert!(
            time.ends_with('Z') && chrono::DateTime::parse_from_rfc3339(&time).is_ok(),
            "{time}"
        );
    }
}

#[tokio::test]
async fn a_tenant() {
    with_api(async |api| {
        let reply =
            api.post("/v1/tenants", json!({"name": "Acme", "slug": "acme"})).await.expect(201);
        is_new(&reply, "/v1/tenants");
        let place = reply.location();
        let after = changed(api, &place, json!({"name": "Acme Bakeries", "slug": null})).await;
        assert_eq!(after["slug"], Value::Null);
        removed(api, &place).await;
        api.make("/v1/tenants", json!({"name": "Without a slug"})).await;
        api.make("/v1/tenants", json!({"name": "Without a slug either", "slug": null})).await;
    })
    .await;
}

#[tokio::test]
async fn a_site_and_its_hostnames() {
    with_api(async |api| {
        let tenant = api.make("/v1/tenants", json!({"name": "Acme"})).await;
        let list = format!("{tenant}/sites");
        let new = json!({"name": "Shop", "slug": "shop", "environment": "test",
            "forward_credentials": true});
        let reply = api.post(&list, new.clone()).await.expect(201);
        is_new(&reply, &list);
        assert_eq!(reply.json()["environment"], "test");
        let place = reply.location();
        changed(api, &place, json!({"name": "The shop", "forward_credentials": false})).await;
        api.post(&list, new).await.problem(409, "taken").fields(&["slug"]);

        let hostnames = format!("{place}/hostnames");
        let own = api.get(&hostnames).await.json()["items"][0].clone();
        assert_eq!((&own["name"], &own["is_site_name"]), (&json!("shop.gw.test"), &json!(true)));
        let own = format!("{hostnames}/{}", own["id"].as_str().unwrap());
        api.delete(&own).await.problem(409, "in-use");

        let reply = api.post(&hostnames, json!({"name": "outlet"})).await.expect(201);
        is_new(&reply, &hostnames);
        assert_eq!(reply.json()["name"], "outlet.gw.test");
        api.post(&hostnames, json!({"name": "outlet"})).await.problem(409, "taken");
        api.post(&list, json!({"name": "Another", "slug": "outlet"}))
            .await
            .problem(409, "taken")
            .fields(&["slug"]);
        removed(api, &reply.location()).await;
        removed(api, &place).await;
    })
    .await;
}

#[tokio::test]
async fn an_upstream() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let list = format!("{}/upstreams", world.site);
        let new = json!({"name": "second", "endpoints": [{"address": "2a00::1", "port": 1}],
            "protocol": "http2"});
        let reply = api.post(&list, new.clone()).await.expect(201);
        is_new(&reply, &list);
        let made = reply.json();
        assert_eq!(made["endpoints"], json!([{"address": "2a00::1", "port": 1, "weight": 1}]));
        assert_eq!(
            (&made["connect_timeout_ms"], &made["request_timeout_ms"]),
            (&json!(5000), &json!(15000))
        );
        api.post(&list, new).await.problem(409, "taken").fields(&["name"]);
        let endpoints = json!([{"address": "orders.internal", "port": 65535, "weight": 1000}]);
        let changes = json!({"endpoints": endpoints, "connect_timeout_ms": 10,
            "request_timeout_ms": 600000, "protocol": "http1"});
        changed(api, &reply.location(), changes).await;
        removed(api, &reply.location()).await;
    })
    .await;
}

#[tokio::test]
async fn an_upstream_in_use_stays() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let reply = api.delete(&world.upstream).await.problem(409, "in-use");
        assert!(reply.text().contains(id_of(&world.version)), "{}", reply.text());
        api.delete(&world.api).await.expect(204);
        api.delete(&world.upstream).await.expect(204);
    })
    .await;
}

#[tokio::test]
async fn an_api_its_version_and_a_route() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let list = format!("{}/apis", world.site);
        let reply = api.post(&list, json!({"name": "Stock", "base_path": "/"})).await.expect(201);
        is_new(&reply, &list);
        assert_eq!(reply.json()["strip_base_path"], true);
        let place = reply.location();
        changed(
            api,
            &place,
            json!({"name": "Stocks", "base_path": "/stocks", "strip_base_path": false}),
        )
        .await;

        let versions = format!("{place}/versions");
        let reply = api
            .post(&versions, json!({"name": "v1", "upstream_id": id_of(&world.upstream)}))
            .await
            .expect(201);
        is_new(&reply, &versions);
        let version = reply.location();
        changed(api, &version, json!({"name": "2024-10-01"})).await;

        let routes = format!("{version}/routes");
        let reply =
            api.post(&routes, json!({"path": "/%7efiles/{name}.json/{*rest}"})).await.expect(201);
        is_new(&reply, &routes);
        let made = reply.json();
        assert_eq!(
            made["methods"],
            json!(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
        );
        assert_eq!(
            made["path"], "/~files/{name}.json/{*rest}",
            "the path is in its canonical form"
        );
        let changes = json!({"methods": ["GET", "POST"], "path": "/x", "name": "x",
                "upstream_id": id_of(&world.upstream)});
        changed(api, &reply.location(), changes).await;
        let after = api
            .patch(&reply.location(), json!({"name": null, "upstream_id": null}))
            .await
            .expect(200)
            .json();
        assert_eq!((&after["name"], &after["upstream_id"]), (&Value::Null, &Value::Null));
        removed(api, &reply.location()).await;
        removed(api, &version).await;
        removed(api, &place).await;
    })
    .await;
}

#[tokio::test]
async fn a_version_may_be_left_out_of_the_paths() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let web = api
            .make(&format!("{}/apis", world.site), json!({"name": "Web", "base_path": "/"}))
            .await;
        let new = async |name: &str, in_path: bool| {
            let body =
                json!({"name": name, "in_path": in_path, "upstream_id": id_of(&world.upstream)});
            api.post(&format!("{web}/versions"), body).await
        };
        let bare = new("v1", false).await.expect(201);
        assert_eq!(bare.json()["in_path"], false);
        let bare = bare.location();
        let other = new("v2", true).await.expect(201).location();
        let route = async |version: &str, path: &str| {
            api.post(&format!("{version}/routes"), json!({"path": path})).await
        };
        // The paths of both meet where one begins with the name of the other.
        route(&bare, "/v2/{id}").await.expect(201);
        route(&other, "/{name}").await.problem(409, "route-taken").fields(&["path"]);
        route(&bare, "/orders/v1/orders/{id}").await.problem(409, "route-taken");
        route(&other, "/v2/{id}").await.expect(201);
        let moved = api.patch(&other, json!({"in_path": false})).await.problem(409, "route-taken");
        moved.fields(&["in_path"]);
        let moved = api.patch(&bare, json!({"in_path": true})).await.expect(200).json();
        assert_eq!((&moved["name"], &moved["in_path"]), (&json!("v1"), &json!(true)));
        api.patch(&other, json!({"in_path": false})).await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn a_consumer() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let list = format!("{}/consumers", world.site);
        let reply = api.post(&list, json!({"name": "Mobile"})).await.expect(201);
        is_new(&reply, &list);
        api.post(&list, json!({"name": "Mobile"})).await.problem(409, "taken").fields(&["name"]);
        changed(api, &reply.location(), json!({"name": "Mobile app"})).await;
        removed(api, &reply.location()).await;
    })
    .await;
}

#[tokio::test]
async fn a_plan() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let list = format!("{}/plans", world.site);
        let reply = api.post(&list, json!({"name": "Silver"})).await.expect(201);
        is_new(&reply, &list);
        assert_eq!(reply.json()["settings"], json!({"limits": [], "quotas": []}));
        api.post(&list, json!({"name": "Silver"})).await.problem(409, "taken").fields(&["name"]);
        api.patch(&world.plan, json!({"name": "Silver"}))
            .await
            .problem(409, "taken")
            .fields(&["name"]);
        let quotas = json!([{"name": "daily", "requests": 1000, "per": "day", "by": ["plan"]}]);
        changed(
            api,
            &reply.location(),
            json!({"name": "Bronze", "settings": {"limits": [], "quotas": quotas}}),
        )
        .await;
        removed(api, &reply.location()).await;
    })
    .await;
}

#[tokio::test]
async fn with_a_tenant_goes_everything_it_has() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        World::site(api, &world.tenant, "acme-two").await;
        api.delete(&world.tenant).await.expect(204);
        for table in [
            "sites",
            "hostnames",
            "upstreams",
            "apis",
            "api_versions",
            "routes",
            "consumers",
            "api_keys",
            "plans",
            "issuers",
            "signing_keys",
        ] {
            assert_eq!(api.count(&format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
        }
        api.get(&format!("{}/sites", world.tenant)).await.problem(404, "not-found");
        api.post(&format!("{}/sites", world.tenant), json!({"name": "x", "slug": "x"}))
            .await
            .problem(404, "not-found");
        World::make(api, "acme").await;
    })
    .await;
}
