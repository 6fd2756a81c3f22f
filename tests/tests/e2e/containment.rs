//! Addresses that a tenant's upstreams may not reach.

use serde_json::{Value, json};
use stack::{Stack, service::Ready};
use tenantry_tests::{THING, echo, eventually, finish, gateways, settled, start, tenant::Tenant};

/// Makes an upstream with this endpoint, and a route to it; returns the path.
async fn route_to(site: &tenantry_tests::tenant::Site, name: &str, endpoints: Value) -> String {
    let upstream = site.upstream_with(json!({ "name": name, "endpoints": endpoints })).await;
    site.version(&format!("/{name}"), &upstream).await.route(&["GET"], "/{id}").await;
    format!("/{name}/v1/1")
}

/// The operator takes back a range that tenants use: names and literals alike lead nowhere, and
/// work again when the range is allowed again.
#[tokio::test]
async fn upstreams_in_a_range_that_is_not_allowed_are_never_reached() {
    let builder = Stack::builder("not-allowed").xds_env("TENANTRY_UPSTREAM_ALLOW", "192.0.2.0/24");
    let mut stack = start(builder).await;
    let upstream = echo("near");
    let site = Tenant::create(&stack.api, "Acme").await.site("acme").await;
    let port = upstream.addr.port();
    let named = route_to(&site, "named", json!([{ "address": "localhost", "port": port }])).await;
    let literal =
        route_to(&site, "literal", json!([{ "address": "127.0.0.1", "port": port }])).await;
    let mapped =
        route_to(&site, "mapped", json!([{ "address": "::ffff:127.0.0.1", "port": port }])).await;
    let key = site.key("app").await;
    let gateways = gateways(&stack);
    for path in [&named, &literal, &mapped] {
        settled(&gateways, &site.hostname, path, &key.text, 503).await;
        gateways[0].get(&site.hostname, path, &key.text).await.assert_problem(503);
    }
    // The name was looked up, and no address was left.
    let metrics = || async { metrics(&stack).await };
    eventually("the name was resolved", metrics, |text| {
        text.contains(r#"tenantry_xds_dns_resolutions_total{outcome="refused"}"#)
    })
    .await;
    gateways[0].get(&site.hostname, &named, &key.text).await.assert_problem(503);
    assert_eq!(upstream.total(), 0, "somebody came near");
    let dump = stack.envoys[0].config_dump().await.expect("a config dump").to_string();
    assert!(
        !dump.contains("127.0.0.1:") && !dump.contains("\"localhost\""),
        "it is not even in Envoy"
    );

    stack.xds.stop().await.expect("a stop");
    stack.xds.launch = stack.xds.launch.clone().env("TENANTRY_UPSTREAM_ALLOW", "127.0.0.0/8");
    stack.xds.start().await.expect("a start");
    for path in [&named, &literal, &mapped] {
        settled(&gateways, &site.hostname, path, &key.text, 200).await;
    }
    stack.allow_in_envoy_log("gRPC config stream");
    stack.allow_in_envoy_log("the stream to cluster xds ended");
    finish(stack).await;
}

async fn metrics(stack: &Stack) -> String {
    let Ready::Http(ready) = &stack.xds.ready else { panic!("xds-server has an HTTP listener") };
    reqwest::get(ready.replace("/readyz", "/metrics"))
        .await
        .expect("an answer")
        .text()
        .await
        .expect("a text")
}

/// An upstream that moves from an address to a name loses no request, and Envoy resolves nothing
/// itself.
#[tokio::test]
async fn a_live_upstream_can_be_given_a_name() {
    let stack = start(Stack::builder("to-a-name")).await;
    let (old, new) = (echo("old"), echo("new"));
    let gateways = gateways(&stack);
    let site = Tenant::create(&stack.api, "Acme").await.site("acme").await;
    let upstream = site.upstream("things", old.addr).await;
    site.version("/things", &upstream).await.route(&["GET"], "/{id}").await;
    let key = site.key("app").await;
    settled(&gateways, &site.hostname, THING, &key.text, 200).await;
    let load =
        tenantry_tests::load::Load::start(gateways[0].address(), &site.hostname, THING, &key.text);
    load.warm_up().await;
    let named = json!({ "endpoints": [{ "address": "localhost", "port": new.addr.port() }] });
    stack
        .api
        .patch(&format!("{}/upstreams/{upstream}", site.path), named)
        .await
        .expect("other endpoints");
    let answering = || async { gateways[0].get(&site.hostname, THING, &key.text).await.upstream() };
    eventually("the new endpoint", answering, |name| name == "new").await;
    load.stop_without_a_loss().await;
    let dump = stack.envoys[0].config_dump().await.expect("a config dump");
    let dynamic = dump["configs"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|config| &config["dynamic_active_clusters"]);
    let text: String = dynamic.map(Value::to_string).collect();
    assert!(text.contains("EDS") && !text.contains("DNS"), "{text}");
    finish(stack).await;
}
