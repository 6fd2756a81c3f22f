//! Importing an OpenAPI description.

use std::convert::Infallible;

use axum::body::Body;
use axum::http::Method;
use futures::future::select_all;
use serde_json::{Value, json};

use crate::harness::{Api, Reply, id_of, with_api};
use crate::publishing::World;

async fn import(api: &Api, world: &World, query: &str, document: &Value) -> Reply {
    api.post(&format!("{}/import{query}", world.version), document.clone()).await
}

fn document(paths: Value) -> Value {
    json!({"openapi": "3.1.0", "info": {"title": "Orders", "version": "1"}, "paths": paths})
}

async fn lines(api: &Api, world: &World) -> Vec<String> {
    let routes = api.get(&format!("{}/routes", world.version)).await.expect(200).json();
    let line = |route: &Value| {
        format!("{} {} {}", route["methods"][0], route["path"], route["name"]).replace('"', "")
    };
    routes["items"].as_array().unwrap().iter().map(line).collect()
}

#[tokio::test]
async fn a_dry_run_says_what_the_import_then_does() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let wanted = document(json!({
            "/orders": {"get": {"operationId": "listOrders"}, "post": {}},
            "/orders/{id}": {"get": {"operationId": "readOrder"}},
        }));
        let trial = import(api, &world, "?dry_run=true", &wanted).await.expect(200).json();
        assert_eq!(
            trial["added"],
            json!([
                {"name": "listOrders", "methods": ["GET"], "path": "/orders"},
                {"name": null, "methods": ["POST"], "path": "/orders"},
            ])
        );
        let changed = json!([{"id": id_of(&world.route), "name": "readOrder", "methods": ["GET"],
                "path": "/orders/{id}"}]);
        assert_eq!((&trial["changed"], &trial["removed"]), (&changed, &json!([])));
        assert_eq!(
            lines(api, &world).await,
            ["GET /orders/{id} getOrder"],
            "nothing has changed yet"
        );

        let mut done = import(api, &world, "", &wanted).await.expect(200).json();
        assert_eq!(done["dry_run"], false);
        done["dry_run"] = json!(true);
        assert_eq!(done, trial);
        let expected =
            ["GET /orders/{id} readOrder", "GET /orders listOrders", "POST /orders null"];
        assert_eq!(lines(api, &world).await, expected);
        assert_eq!(
            api.get(&world.route).await.json()["name"],
            "readOrder",
            "the route kept its id"
        );

        let again = import(api, &world, "", &wanted).await.expect(200).json();
        assert_eq!((&again["unchanged"], &again["added"]), (&json!(3), &json!([])));
        let fewer = import(api, &world, "", &document(json!({"/orders": {"get": {}}})))
            .await
            .expect(200)
            .json();
        assert_eq!(fewer["removed"].as_array().unwrap().len(), 2);
        assert_eq!(lines(api, &world).await, ["GET /orders null"]);
    })
    .await;
}

#[tokio::test]
async fn a_route_keeps_its_own_upstream() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let upstream = api
            .make(&format!("{}/upstreams", world.site), json!({"name": "own", "endpoints": []}))
            .await;
        api.patch(&world.route, json!({"upstream_id": id_of(&upstream)})).await.expect(200);
        let same = document(json!({"/orders/{id}": {"get": {"operationId": "getOrder"}}}));
        assert_eq!(import(api, &world, "", &same).await.expect(200).json()["unchanged"], 1);
        assert_eq!(api.get(&world.route).await.json()["upstream_id"], id_of(&upstream));
    })
    .await;
}

#[tokio::test]
async fn yaml_is_read_too() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let text = "openapi: 3.0.3\ninfo: {title: x, version: '1'}\npaths:\n  /a/{b}:\n    get: \
            {operationId: ab}\n";
        let path = format!("{}/import", world.version);
        for media_type in ["application/yaml", "application/vnd.oai.openapi", "text/plain"] {
            api.call(Method::POST, &path).body(media_type, text).send().await.expect(200);
        }
        assert_eq!(lines(api, &world).await, ["GET /a/{b} ab"]);
        api.call(Method::POST, &path)
            .body("image/png", text)
            .send()
            .await
            .problem(415, "media-type");
        api.call(Method::POST, &path)
            .body("application/yaml", "a: [")
            .send()
            .await
            .problem(400, "syntax");
    })
    .await;
}

#[tokio::test]
async fn a_document_that_cannot_be_imported_changes_nothing() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let wrong =
            document(json!({"/a//b": {"get": {}}, "/ok": {"get": {}}, "/c/{x}{y}": {"get": {}}}));
        let places = ["/paths/~1a~1~1b", "/paths/~1c~1{x}{y}"];
        import(api, &world, "", &wrong).await.problem(422, "invalid").fields(&places);
        import(api, &world, "?dryrun=true", &document(json!({"/a": {"get": {}}})))
            .await
            .problem(422, "invalid")
            .fields(&["dryrun"]);
        import(api, &world, "?dry_run=maybe", &document(json!({"/a": {"get": {}}})))
            .await
            .problem(422, "invalid");
        assert_eq!(lines(api, &world).await, ["GET /orders/{id} getOrder"]);

        // The dry run also finds a collision with another API of the site.
        let root = api
            .make(&format!("{}/apis", world.site), json!({"name": "Root", "base_path": "/"}))
            .await;
        let new = json!({"name": "orders", "upstream_id": id_of(&world.upstream)});
        let version = api.make(&format!("{root}/versions"), new).await;
        let body = document(json!({"/v1/orders/{x}": {"get": {}}}));
        for query in ["?dry_run=true", ""] {
            api.post(&format!("{version}/import{query}"), body.clone())
                .await
                .problem(409, "route-taken");
        }
        assert!(
            api.get(&format!("{version}/routes")).await.json()["items"]
                .as_array()
                .unwrap()
                .is_empty()
        );
    })
    .await;
}

#[tokio::test]
async fn an_import_can_be_repeated() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let body = document(json!({"/a": {"get": {}}}));
        let path = format!("{}/import", world.version);
        let call =
            || api.call(Method::POST, &path).header("idempotency-key", "k").json(&body).send();
        let first = call().await.expect(200);
        let again = call().await.expect(200);
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(again.body, first.body);
    })
    .await;
}

#[tokio::test]
async fn imports_of_one_tenant_leave_places_for_others() {
    with_api(async |api| {
        let (busy, other) = (World::make(api, "busy").await, World::make(api, "other").await);
        let path = format!("{}/import?dry_run=true", busy.version);
        let tenant = busy.site.split("/sites/").next().unwrap();
        let new = json!({"name": "CI", "role": "developer"});
        let made = api.post(&format!("{tenant}/service-tokens"), new).await.expect(201).json();
        let token = made["token"].as_str().unwrap();
        // Bodies that never come: two documents, two that wait for their places, and one too many.
        let silent = |_| {
            let body = Body::from_stream(futures::stream::pending::<Result<Vec<u8>, Infallible>>());
            let call = api.call_as(token, Method::POST, &path);
            tokio::spawn(call.header("content-type", "application/json").send_body(body))
        };
        let (refused, _, waiting) = select_all((0..5).map(silent)).await;
        refused.unwrap().problem(429, "share-taken");
        let wanted = document(json!({"/orders": {"get": {}}}));
        import(api, &other, "?dry_run=true", &wanted).await.expect(200);
        for silent in waiting {
            silent.abort();
            let _ = silent.await;
        }
        api.call_as(token, Method::POST, &path).json(&wanted).send().await.expect(200);
    })
    .await;
}
