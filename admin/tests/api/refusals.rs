//! Refused requests, and the reasons in the answers.

use axum::http::Method;
use serde_json::json;

use crate::harness::{id_of, with_api};
use crate::publishing::World;

#[tokio::test]
async fn bodies_are_read_strictly() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let upstreams = format!("{}/upstreams", world.site);
        for (body, field) in [
            (json!({"name": "x", "endpoints": [], "nmae": 1}), "nmae"),
            (
                json!({"name": "x", "endpoints": [{"address": "a", "port": 1, "prot": 2}]}),
                "endpoints[0].prot",
            ),
            (
                json!({"name": "x", "endpoints": [{"address": "a", "port": "80"}]}),
                "endpoints[0].port",
            ),
            (json!({"name": "x", "endpoints": {}}), "endpoints"),
            (json!({"name": "x"}), "endpoints"),
            (json!({"name": null, "endpoints": []}), "name"),
            (json!({"name": "x", "endpoints": [], "protocol": "http3"}), "protocol"),
            (json!({"name": "x", "endpoints": [], "protocol": null}), "protocol"),
        ] {
            api.post(&upstreams, body).await.problem(422, "invalid").fields(&[field]);
        }
        api.patch(&world.site, json!({"slug": "other"}))
            .await
            .problem(422, "invalid")
            .fields(&["slug"]);
        api.patch(&world.site, json!({"name": null}))
            .await
            .problem(422, "invalid")
            .fields(&["name"]);
    })
    .await;
}

#[tokio::test]
async fn all_wrong_fields_are_named_at_once() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let body = json!({
            "name": " x",
            "endpoints": [
                {"address": "http://a", "port": 0},
                {"address": "a", "port": 65536, "weight": 1001},
                {"address": "b", "port": 1},
                {"address": "B", "port": 1},
            ],
            "connect_timeout_ms": 0,
            "request_timeout_ms": 600001,
        });
        api.post(&format!("{}/upstreams", world.site), body).await.problem(422, "invalid").fields(
            &[
                "name",
                "endpoints[0].address",
                "endpoints[0].port",
                "endpoints[1].port",
                "endpoints[1].weight",
                "endpoints[3]",
                "connect_timeout_ms",
                "request_timeout_ms",
            ],
        );
        let endpoints: Vec<_> =
            (1..=65).map(|port| json!({"address": "a", "port": port})).collect();
        let body = json!({"name": "x", "endpoints": endpoints});
        api.post(&format!("{}/upstreams", world.site), body)
            .await
            .problem(422, "invalid")
            .fields(&["endpoints"]);
    })
    .await;
}

#[tokio::test]
async fn upstreams_may_not_be_near_the_platform_unless_the_operator_allows_it() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let upstreams = format!("{}/upstreams", world.site);
        for address in [
            "127.0.0.1",
            "0.0.0.0",
            "10.0.0.1",
            "10.9.9.9",
            "100.64.0.1",
            "169.254.169.254",
            "192.168.0.1",
            "224.0.0.1",
            "::1",
            "::ffff:127.0.0.1",
            "fd00:ec2::254",
            "fe80::1",
            "64:ff9b::7f00:1",
        ] {
            let endpoints =
                json!([{"address": "8.8.8.8", "port": 1}, {"address": address, "port": 1}]);
            let new = json!({"name": "near", "endpoints": endpoints});
            let refused = api
                .post(&upstreams, new)
                .await
                .problem(422, "invalid")
                .fields(&["endpoints[1].address"]);
            let message = refused.json()["errors"][0]["message"].to_string();
            assert!(message.contains("--upstream-allow"), "{message}");
            let changes = json!({"endpoints": endpoints});
            let upstream = format!("{upstreams}/{}", id_of(&world.upstream));
            api.patch(&upstream, changes)
                .await
                .problem(422, "invalid")
                .fields(&["endpoints[1].address"]);
        }
        for address in ["10.9.0.1", "::ffff:10.9.0.2", "8.8.8.8", "2a00::1", "localhost"] {
            let new = json!({"name": address, "endpoints": [{"address": address, "port": 1}]});
            api.post(&upstreams, new).await.expect(201);
        }
    })
    .await;
}

#[tokio::test]
async fn each_noun_checks_its_fields() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let upstream = id_of(&world.upstream);
        let [sites, apis, versions, routes, keys] = [
            (&world.tenant, "sites"),
            (&world.site, "apis"),
            (&world.api, "versions"),
            (&world.version, "routes"),
            (&world.consumer, "keys"),
        ]
        .map(|(owner, list)| format!("{owner}/{list}"));
        for (path, body, fields) in [
            ("/v1/tenants".to_owned(), json!({"name": "", "slug": "A"}), &["name", "slug"][..]),
            ("/v1/tenants".to_owned(), json!({"name": "a\u{0}b"}), &["name"]),
            (sites.clone(), json!({"name": "x", "slug": "api"}), &["slug"]),
            (
                sites.clone(),
                json!({"name": "x", "slug": "y", "environment": "prod"}),
                &["environment"],
            ),
            (format!("{}/hostnames", world.site), json!({"name": "www"}), &["name"]),
            (format!("{}/hostnames", world.site), json!({"name": "a.b"}), &["name"]),
            (apis.clone(), json!({"name": "x", "base_path": "/a/../b"}), &["base_path"]),
            (apis.clone(), json!({"name": "x", "base_path": "/{a}"}), &["base_path"]),
            (versions.clone(), json!({"name": "V2", "upstream_id": upstream}), &["name"]),
            (versions.clone(), json!({"name": "v2", "upstream_id": "x"}), &["upstream_id"]),
            (
                versions.clone(),
                json!({"name": "v2", "upstream_id": uuid::Uuid::now_v7()}),
                &["upstream_id"],
            ),
            (routes.clone(), json!({"path": "/a//b"}), &["path"]),
            (routes.clone(), json!({"path": "/{a}{b}", "name": ""}), &["path", "name"]),
            (routes.clone(), json!({"path": "/x", "methods": ["get"]}), &["methods[0]"]),
            (
                routes.clone(),
                json!({"path": "/x", "upstream_id": uuid::Uuid::now_v7()}),
                &["upstream_id"],
            ),
            (format!("{}/consumers", world.site), json!({"name": "x".repeat(201)}), &["name"]),
            (keys.clone(), json!({"expires_at": "2020-01-01T00:00:00Z"}), &["expires_at"]),
            (keys.clone(), json!({"expires_at": "tomorrow"}), &["expires_at"]),
            (format!("{}/rotate", world.key), json!({"grace_seconds": -1}), &["grace_seconds"]),
        ] {
            api.post(&path, body).await.problem(422, "invalid").fields(fields);
        }
    })
    .await;
}

#[tokio::test]
async fn routes_that_could_not_be_told_apart_are_refused() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let upstream = id_of(&world.upstream);
        let routes = format!("{}/routes", world.version);
        for body in [
            json!({"path": "/orders/{other}"}),
            json!({"path": "/orders/{id}", "methods": ["POST", "GET"]}),
        ] {
            let reply = api.post(&routes, body).await.problem(409, "route-taken").fields(&["path"]);
            assert!(reply.text().contains(id_of(&world.route)), "{}", reply.text());
        }
        api.make(&routes, json!({"path": "/orders/{id}", "methods": ["POST"]})).await;
        api.patch(&world.route, json!({"methods": ["GET", "POST"]}))
            .await
            .problem(409, "route-taken");
        api.patch(&world.route, json!({"methods": ["GET", "PUT"]})).await.expect(200);

        // The same full path comes about by way of another API.
        let root = api
            .make(&format!("{}/apis", world.site), json!({"name": "Root", "base_path": "/"}))
            .await;
        let version = api
            .make(&format!("{root}/versions"), json!({"name": "orders", "upstream_id": upstream}))
            .await;
        let same = json!({"path": "/v1/orders/{x}", "methods": ["PUT"]});
        api.post(&format!("{version}/routes"), same).await.problem(409, "route-taken");
        let route = api.make(&format!("{version}/routes"), json!({"path": "/v2/orders/{x}"})).await;
        api.patch(&world.version, json!({"name": "v2"}))
            .await
            .problem(409, "route-taken")
            .fields(&["name"]);
        assert_eq!(
            api.get(&world.version).await.json()["name"],
            "v1",
            "the refused change was rolled back"
        );

        // It comes about by way of a base path, too.
        api.patch(&route, json!({"path": "/v1/stock"})).await.expect(200);
        let moved = api
            .make(&format!("{}/apis", world.site), json!({"name": "Stock", "base_path": "/stock"}))
            .await;
        let version = api
            .make(&format!("{moved}/versions"), json!({"name": "v1", "upstream_id": upstream}))
            .await;
        api.make(&format!("{version}/routes"), json!({"path": "/stock"})).await;
        api.delete(&world.api).await.expect(204);
        api.patch(&moved, json!({"base_path": "/orders"}))
            .await
            .problem(409, "route-taken")
            .fields(&["base_path"]);
    })
    .await;
}

#[tokio::test]
async fn what_is_no_json_is_refused() {
    with_api(async |api| {
        let post = || api.call(Method::POST, "/v1/tenants");
        post().body("application/json", "{").send().await.problem(400, "syntax");
        post()
            .body("application/json", &b"{\"name\":\"\xff\"}"[..])
            .send()
            .await
            .problem(400, "syntax");
        post().body("application/json", "{\"name\":\"a\"}{}").send().await.problem(400, "syntax");
        post().body("text/plain", "{\"name\":\"a\"}").send().await.problem(415, "media-type");
        post().send().await.problem(415, "media-type");
        let long = format!("{{\"name\":\"{}\"}}", "x".repeat(1024 * 1024));
        post().body("application/json", long).send().await.problem(413, "too-large");
        post().body("application/json; charset=utf-8", "{\"name\":\"a\"}").send().await.expect(201);
    })
    .await;
}

#[tokio::test]
async fn paths_methods_and_queries_that_do_not_exist_are_refused() {
    with_api(async |api| {
        api.get("/v1/nothing").await.problem(404, "no-such-path");
        let reply =
            api.call(Method::PUT, "/v1/tenants").send().await.problem(405, "method-not-allowed");
        assert_eq!(reply.header("allow"), "GET, POST");
        api.get("/v1/tenants?limt=5").await.problem(422, "invalid").fields(&["limt"]);
        api.get("/v1/tenants?limit=1&limit=2").await.problem(422, "invalid");
    })
    .await;
}
