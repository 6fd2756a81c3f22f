//! Facts that the upstream is told, and secrets that it is not.

use reqwest::Method;
use serde_json::json;
use stack::Stack;
use tenantry_tests::{
    THING, Things, echo, eventually, finish, gateways, settled, start, tenant::Tenant,
};

#[tokio::test]
async fn the_upstream_can_trust_what_it_is_told() {
    let things = Things::start(Stack::builder("identity")).await;
    let (site, key) = (&things.site, &things.key);
    let forged = [
        ("x-api-key", key.text.as_str()),
        ("x-tenantry-tenant", "forged"),
        ("x-tenantry-site", "forged"),
        ("X-Tenantry-Route", "forged"),
        ("x-tenantry-consumer", "forged"),
        ("x-tenantry-anything", "forged"),
        ("x-other", "kept"),
    ];
    let answer = things.send(Method::GET, "/things/v1/7?q=1", &forged).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let route = things.version.routes().await[0]["id"].as_str().map(str::to_owned);
    assert_eq!(answer.upstream_saw("x-tenantry-tenant"), Some(site.tenant_id.clone()));
    assert_eq!(answer.upstream_saw("x-tenantry-site"), Some(site.id.clone()));
    assert_eq!(answer.upstream_saw("x-tenantry-route"), route);
    assert_eq!(answer.upstream_saw("x-tenantry-consumer"), Some(key.consumer_id.clone()));
    assert_eq!(answer.upstream_saw("x-tenantry-anything"), None);
    assert_eq!(answer.upstream_saw("x-other").as_deref(), Some("kept"));
    assert_eq!(
        answer.json()["path"],
        "/7?q=1",
        "base path and version are taken off, the query stays"
    );
    assert!(!answer.body.contains(&key.text), "the key reached the upstream: {}", answer.body);
    finish(things.stack).await;
}

/// Envoy obeys some `x-envoy-*` headers of internal clients. It takes nobody for internal, not even
/// this machine.
#[tokio::test]
async fn a_client_cannot_steer_envoy_by_its_headers() {
    let things = Things::start(Stack::builder("steering")).await;
    let headers = [
        ("x-api-key", things.key.text.as_str()),
        ("x-envoy-upstream-rq-timeout-ms", "1"),
        ("x-envoy-original-path", "/forged"),
        ("x-envoy-internal", "true"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-echo-delay-ms", "300"),
    ];
    let answer = things.send(Method::GET, THING, &headers).await;
    assert_eq!(answer.status, 200, "the client's timeout was obeyed: {answer:?}");
    assert_eq!(answer.upstream_saw("x-envoy-upstream-rq-timeout-ms"), None);
    assert_eq!(answer.upstream_saw("x-envoy-internal"), None);
    assert_eq!(answer.upstream_saw("x-envoy-original-path").as_deref(), Some(THING));
    finish(things.stack).await;
}

/// The first request of a site makes Envoy load its routes and start the request anew; later ones
/// find them loaded.
#[tokio::test]
async fn the_key_stays_at_the_gateway_wherever_it_was() {
    let stack = start(Stack::builder("key-stays")).await;
    let upstream = echo("things");
    let tenant = Tenant::create(&stack.api, "Acme").await;
    let gateway = gateways(&stack)[0].clone();
    for (number, place) in ["header", "bearer", "both", "body"].into_iter().enumerate() {
        let site = tenant.site(&format!("acme-{number}")).await;
        let upstream_id = site.upstream("things", upstream.addr).await;
        site.version("/things", &upstream_id).await.route(&["GET", "POST"], "/{id}").await;
        let key = site.key("app").await;
        let bearer = format!("Bearer {}", key.text);
        let headers: &[(&str, &str)] = match place {
            "header" | "body" => &[("x-api-key", &key.text)],
            "bearer" => &[("authorization", &bearer)],
            _ => &[("authorization", &bearer), ("x-api-key", &key.text)],
        };
        let method = if place == "body" { Method::POST } else { Method::GET };
        let ask = || gateway.send(method.clone(), &site.hostname, THING, headers);
        eventually(place, ask, |answer| answer.status == 200).await;
        for temperature in ["cold", "warm"] {
            let answer = ask().await;
            assert_eq!(answer.status, 200, "{place}, {temperature}: {answer:?}");
            assert!(!answer.body.contains("tnt_"), "{place}, {temperature}: {}", answer.body);
            assert_eq!(answer.upstream_saw("authorization"), None);
        }
    }
    for received in upstream.received() {
        assert!(
            !format!("{received:?}").contains("tnt_"),
            "an earlier request carried the key: {received:?}"
        );
    }
    finish(stack).await;
}

#[tokio::test]
async fn the_key_is_forwarded_where_the_site_asks_for_it() {
    let stack = start(Stack::builder("key-forwarded")).await;
    let upstream = echo("things");
    let tenant = Tenant::create(&stack.api, "Acme").await;
    let site =
        tenant.site_with(json!({ "name": "a", "slug": "acme", "forward_credentials": true })).await;
    site.serve_things(upstream.addr).await;
    let key = site.key("app").await;
    let gateways = gateways(&stack);
    settled(&gateways, &site.hostname, THING, &key.text, 200).await;
    let bearer = format!("Bearer {}", key.text);
    let answer =
        gateways[0].send(Method::GET, &site.hostname, THING, &[("authorization", &bearer)]).await;
    assert_eq!(answer.upstream_saw("authorization"), Some(bearer));
    let answer = gateways[0].get(&site.hostname, THING, &key.text).await;
    assert_eq!(answer.upstream_saw("x-api-key"), Some(key.text.clone()));
    finish(stack).await;
}

/// Beside an `X-API-Key`, `Authorization` belongs to the upstream.
#[tokio::test]
async fn a_token_for_the_upstream_passes_beside_the_key() {
    let things = Things::start(Stack::builder("token-passes")).await;
    let headers =
        [("x-api-key", things.key.text.as_str()), ("authorization", "Bearer of-the-upstream")];
    let answer = things.send(Method::GET, THING, &headers).await;
    assert_eq!(answer.upstream_saw("authorization").as_deref(), Some("Bearer of-the-upstream"));
    assert_eq!(answer.upstream_saw("x-api-key"), None);
    finish(things.stack).await;
}

#[tokio::test]
async fn the_base_path_stays_where_the_api_asks_for_it() {
    let stack = start(Stack::builder("base-path")).await;
    let upstream = echo("things");
    let site = Tenant::create(&stack.api, "Acme").await.site("acme").await;
    let upstream_id = site.upstream("things", upstream.addr).await;
    let kept = json!({ "name": "kept", "base_path": "/kept", "strip_base_path": false });
    site.version_with(kept, &upstream_id).await.route(&["GET"], "/{id}").await;
    let root = site.version("/", &upstream_id).await;
    root.route(&["GET"], "/").await;
    root.route(&["GET"], "/deep/{*rest}").await;
    let key = site.key("app").await;
    let gateways = gateways(&stack);
    settled(&gateways, &site.hostname, "/v1/deep/a", &key.text, 200).await;
    for (path, forwarded) in [
        ("/kept/v1/7", "/kept/v1/7"),
        ("/v1", "/"),
        ("/v1/", "/"),
        ("/v1?q=/v1/x", "/?q=/v1/x"),
        ("/v1/deep/", "/deep/"),
        ("/v1/deep/v1/x%20y", "/deep/v1/x%20y"),
    ] {
        let answer = gateways[0].get(&site.hostname, path, &key.text).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert_eq!(answer.json()["path"], forwarded, "{path}");
    }
    finish(stack).await;
}
