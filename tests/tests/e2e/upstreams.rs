//! Upstreams that are down, slow, broken or elsewhere.

use std::net::SocketAddr;

use reqwest::Method;
use serde_json::{Value, json};
use stack::{Stack, ports};
use tenantry_tests::{
    THING, Things, echo, eventually, finish, gateways, settled, start, tenant::Tenant,
};

/// The endpoints of an upstream with only this one.
fn endpoints(address: SocketAddr) -> Value {
    json!([{ "address": address.ip().to_string(), "port": address.port() }])
}

/// Adds a route to an upstream with these settings.
async fn route_to(things: &Things, path: &str, upstream: Value) {
    let upstream_id = things.site.upstream_with(upstream).await;
    let route = json!({ "methods": ["GET", "POST"], "path": path, "upstream_id": upstream_id });
    things
        .stack
        .api
        .post(&format!("{}/routes", things.version.path), route)
        .await
        .expect("a route");
}

#[tokio::test]
async fn a_broken_upstream_is_a_problem_of_its_own_route_alone() {
    let things = Things::start(Stack::builder("broken-upstreams")).await;
    route_to(
        &things,
        "/down/now",
        json!({ "name": "down", "endpoints": endpoints(ports::free()) }),
    )
    .await;
    let slow = json!({ "name": "slow", "endpoints": endpoints(things.upstream.addr),
        "request_timeout_ms": 300 });
    route_to(&things, "/slow/now", slow).await;
    things.version.route(&["GET", "POST"], "/reset/now").await;
    things.settled("/things/v1/reset/now", &things.key, 200).await;

    for method in [Method::GET, Method::POST] {
        for (path, header, status) in [
            ("/things/v1/down/now", ("x-other", "1"), 503),
            ("/things/v1/slow/now", ("x-echo-delay-ms", "2000"), 504),
            ("/things/v1/reset/now", ("x-echo-reset", "1"), 503),
        ] {
            let headers = [("x-api-key", things.key.text.as_str()), header];
            let answer = things.send(method.clone(), path, &headers).await;
            answer.assert_problem(status);
            assert!(!answer.body.contains("127.0.0.1"), "an upstream's address: {}", answer.body);
            assert_eq!(things.get(THING).await.status, 200, "another route of the same site");
        }
    }
    // A request that may have arrived is not sent again.
    let received = things.upstream.received();
    let resets =
        received.iter().filter(|received| received.headers.contains_key("x-echo-reset")).count();
    assert_eq!(resets, 2, "one GET and one POST");
    // An answer of the upstream itself is passed on.
    let headers = [("x-api-key", things.key.text.as_str()), ("x-echo-status", "503")];
    let answer = things.send(Method::GET, THING, &headers).await;
    assert_eq!((answer.status, answer.header("content-type")), (503, Some("application/json")));
    assert_eq!(answer.upstream(), "things");
    finish(things.stack).await;
}

#[tokio::test]
async fn upstreams_without_endpoints_by_name_and_over_http2() {
    let things = Things::start(Stack::builder("kinds-of-upstreams")).await;
    let named = json!([{ "address": "localhost", "port": things.upstream.addr.port() }]);
    for (path, upstream) in [
        (
            "/kinds/http2",
            json!({ "name": "h2", "protocol": "http2",
                "endpoints": endpoints(things.upstream.addr) }),
        ),
        ("/kinds/named", json!({ "name": "named", "endpoints": named })),
        ("/kinds/empty", json!({ "name": "empty", "endpoints": [] })),
    ] {
        route_to(&things, path, upstream).await;
    }
    things.settled("/things/v1/kinds/http2", &things.key, 200).await;
    things.settled("/things/v1/kinds/named", &things.key, 200).await;
    things.settled("/things/v1/kinds/empty", &things.key, 503).await;
    things.get("/things/v1/kinds/empty").await.assert_problem(503);
    finish(things.stack).await;
}

/// Endpoints are moved while requests run: Envoy goes to the new ones.
#[tokio::test]
async fn endpoints_can_be_replaced() {
    let stack = start(Stack::builder("endpoints")).await;
    let (old, new) = (echo("old"), echo("new"));
    let gateways = gateways(&stack);
    let site = Tenant::create(&stack.api, "Acme").await.site("acme").await;
    let upstream_id = site.upstream("things", old.addr).await;
    site.version("/things", &upstream_id).await.route(&["GET"], "/{id}").await;
    let key = site.key("app").await;
    settled(&gateways, &site.hostname, THING, &key.text, 200).await;
    let moved = json!({ "endpoints": endpoints(new.addr) });
    stack
        .api
        .patch(&format!("{}/upstreams/{upstream_id}", site.path), moved)
        .await
        .expect("other endpoints");
    let upstream = || async { gateways[0].get(&site.hostname, THING, &key.text).await.upstream() };
    eventually("the new endpoint", upstream, |name| name == "new").await;
    finish(stack).await;
}
