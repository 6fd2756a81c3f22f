//! Upstreams that are down, slow, broken, or elsewhere.

use reqwest::Method;
use serde_json::json;
use stack::{Stack, ports};
use tenantry_tests::{echo, finish, gateways, settled, start, tenant::Tenant};

#[tokio::test]
async fn a_broken_upstream_is_a_problem_of_its_own_route_alone() {
    let stack = start(Stack::builder("broken-upstreams")).await;
    let good = echo("good");
    let gateways = gateways(&stack);
    let site = Tenant::create(&stack.api, "Acme").await.site("acme").await;
    let version = site.serve_things(good.addr).await;
    let endpoint =
        |address: std::net::SocketAddr| json!([{ "address": address.ip().to_string(), "port": address.port() }]);
    let down = site.upstream("down", ports::free()).await;
    let slow = json!({ "name": "slow", "endpoints": endpoint(good.addr), "request_timeout_ms": 300 });
    let slow = site.upstream_with(slow).await;
    for (path, upstream_id) in [("/down/now", &down), ("/slow/now", &slow)] {
        let route = json!({ "methods": ["GET", "POST"], "path": path, "upstream_id": upstream_id });
        stack.api.post(&format!("{}/routes", version.path), route).await.expect("a route");
    }
    version.route(&["GET", "POST"], "/reset/now").await;
    let key = site.key("app").await;
    settled(&gateways, &site.hostname, "/things/v1/1", &key.text, 200).await;
    settled(&gateways, &site.hostname, "/things/v1/slow/now", &key.text, 200).await;

    for method in [Method::GET, Method::POST] {
        for (path, header, status) in [
            ("/things/v1/down/now", ("x-other", "1"), 503),
            ("/things/v1/slow/now", ("x-echo-delay-ms", "2000"), 504),
            ("/things/v1/reset/now", ("x-echo-reset", "1"), 503),
        ] {
            let headers = [("x-api-key", key.text.as_str()), header];
            let answer = gateways[0].send(method.clone(), &site.hostname, path, &headers).await;
            answer.assert_problem(status);
            assert!(!answer.body.contains("127.0.0.1"), "an upstream's address: {}", answer.body);
            assert_eq!(gateways[0].get(&site.hostname, "/things/v1/1", &key.text).await.status, 200);
        }
    }
    // A request that may have arrived is not sent again.
    let resets = good.received().iter().filter(|received| received.path.starts_with("/reset")).count();
    assert_eq!(resets, 2, "one GET and one POST");
    // What the upstream itself answers is its own.
    let headers = [("x-api-key", key.text.as_str()), ("x-echo-status", "503")];
    let answer = gateways[0].send(Method::GET, &site.hostname, "/things/v1/1", &headers).await;
    assert_eq!((answer.status, answer.header("content-type")), (503, Some("application/json")));
    assert_eq!(answer.upstream(), "good");
    finish(stack).await;
}

#[tokio::test]
async fn an_upstream_without_endpoints_and_one_that_speaks_http2() {
    let stack = start(Stack::builder("kinds-of-upstreams")).await;
    let upstream = echo("modern");
    let gateways = gateways(&stack);
    let site = Tenant::create(&stack.api, "Acme").await.site("acme").await;
    let version = site.serve_things(upstream.addr).await;
    let named = json!([{ "address": "localhost", "port": upstream.addr.port() }]);
    let kinds = [
        (
            "/kinds/h2",
            json!({ "name": "h2", "protocol": "http2", "endpoints": [{ "address": "127.0.0.1", "port": upstream.addr.port() }] }),
        ),
        ("/kinds/named", json!({ "name": "named", "endpoints": named })),
        ("/kinds/empty", json!({ "name": "empty", "endpoints": [] })),
    ];
    for (path, settings) in kinds {
        let upstream_id = site.upstream_with(settings).await;
        let route = json!({ "methods": ["GET"], "path": path, "upstream_id": upstream_id });
        stack.api.post(&format!("{}/routes", version.path), route).await.expect("a route");
    }
    let key = site.key("app").await;
    settled(&gateways, &site.hostname, "/things/v1/kinds/h2", &key.text, 200).await;
    settled(&gateways, &site.hostname, "/things/v1/kinds/named", &key.text, 200).await;
    gateways[0].get(&site.hostname, "/things/v1/kinds/empty", &key.text).await.assert_problem(503);
    finish(stack).await;
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
    settled(&gateways, &site.hostname, "/things/v1/1", &key.text, 200).await;
    let endpoints = json!({ "endpoints": [{ "address": "127.0.0.1", "port": new.addr.port() }] });
    stack.api.patch(&format!("{}/upstreams/{upstream_id}", site.path), endpoints).await.expect("other endpoints");
    let upstream = || async { gateways[0].get(&site.hostname, "/things/v1/1", &key.text).await.upstream() };
    tenantry_tests::eventually("the new endpoint", upstream, |name| name == "new").await;
    finish(stack).await;
}
