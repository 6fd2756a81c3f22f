//! An Envoy with a listener and routes that its operator has written: the filter and the mirror
//! stand in front of them.

use reqwest::Method;
use serde_json::json;
use stack::build::Artifacts;
use stack::envoy::{self, Edge, Envoy, EnvoySettings};
use stack::{Stack, ports, workspace_root};
use tenantry_tests::{echo, eventually, finish, gateways, settled, start, tenant::Tenant};

/// A path that no API of the site has: the operator's own route takes it.
const PATH: &str = "/own/path?q=1";

/// Adds such an Envoy to a stack.
async fn add_envoy(stack: &mut Stack, upstream: std::net::SocketAddr) {
    let binary = envoy::ensure_installed(&workspace_root().join(".tenantry/tools")).expect("Envoy");
    let settings = EnvoySettings {
        node_id: "own-7".to_owned(),
        gateway: ports::free(),
        admin: ports::free(),
        xds: stack.xds_addr,
        xds_replicas: Vec::new(),
        wasm: Artifacts::from_env().expect("the module").wasm,
        concurrency: 2,
        mirror: true,
        edge: Edge::default(),
    };
    let mut envoy =
        Envoy::standalone(&binary, stack.dir(), settings, upstream).expect("a configuration");
    envoy.service.start().await.expect("a start");
    stack.envoys.push(envoy);
}

#[tokio::test]
async fn an_operators_own_routes_are_behind_the_filter() {
    let mut stack = start(Stack::builder("standalone").envoys(0)).await;
    let upstream = echo("own");
    add_envoy(&mut stack, upstream.addr).await;
    let site = Tenant::create(&stack.api, "Acme").await.site("acme").await;
    let limits = json!({ "limits": [{ "name": "burst", "requests": 3, "per": "hour" }] });
    let consumer = site.consumer(json!({ "name": "limited", "settings": limits })).await;
    let limited = site.key_of(&consumer, json!({})).await;
    // This key is made last: when it is known, so are the others.
    let key = site.key("app").await;
    let all = gateways(&stack);
    settled(&all, &site.hostname, PATH, &key.text, 200).await;
    let gateway = &all[0];

    let bearer = format!("Bearer {}", key.text);
    for credential in [("x-api-key", key.text.as_str()), ("authorization", bearer.as_str())] {
        let headers = [
            credential,
            ("x-tenantry-tenant", "forged"),
            ("x-tenantry-route", "forged"),
            ("x-other", "1"),
        ];
        let answer = gateway.send(Method::POST, &site.hostname, PATH, &headers).await;
        assert_eq!((answer.status, answer.upstream().as_str()), (200, "own"));
        assert_eq!(answer.upstream_saw("x-tenantry-tenant"), Some(site.tenant_id.clone()));
        assert_eq!(answer.upstream_saw("x-tenantry-site"), Some(site.id.clone()));
        assert_eq!(answer.upstream_saw("x-tenantry-consumer"), Some(key.consumer_id.clone()));
        assert_eq!(answer.upstream_saw("x-tenantry-route"), None, "no route of the site took it");
        assert_eq!(answer.upstream_saw("x-other").as_deref(), Some("1"));
        assert!(
            !answer.body.contains(&key.text),
            "the upstream saw the credential: {}",
            answer.body
        );
    }

    let received = upstream.total();
    for key in ["", "tk_live_this-key-was-never-made"] {
        gateway.get(&site.hostname, PATH, key).await.assert_problem(403);
    }
    gateway.get("nobody.example", PATH, &key.text).await.assert_problem(404);
    assert_eq!(upstream.total(), received, "what is refused goes nowhere");

    for left in (0..3).rev() {
        let answer = gateway.get(&site.hostname, PATH, &limited.text).await;
        assert_eq!(answer.status, 200);
        let field = answer.header("ratelimit").unwrap_or_default();
        assert!(field.starts_with(&format!(r#""burst";r={left};t="#)), "{field}");
    }
    gateway.get(&site.hostname, PATH, &limited.text).await.assert_problem(429);

    stack.api.delete(&key.path).await.expect("a revocation");
    settled(&all, &site.hostname, PATH, &key.text, 403).await;
    let usage = || async {
        let path = format!("{}/usage?group_by=key", site.path);
        let usage = stack.api.get(&path).await.unwrap_or_else(|error| panic!("{error}"));
        let of = |item: &&serde_json::Value| item["key_id"] == limited.id.as_str();
        usage["items"]
            .as_array()
            .into_iter()
            .flatten()
            .find(of)
            .and_then(|item| item["requests"].as_u64())
    };
    // The workers report independently, perhaps in the middle of this test.
    eventually("usage", usage, |requests| *requests >= Some(4)).await;
    assert_eq!(usage().await, Some(4));
    finish(stack).await;
}
