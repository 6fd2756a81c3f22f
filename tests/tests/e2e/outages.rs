//! The control plane and the database die under load, and come back.

use stack::Stack;
use tenantry_tests::{echo, eventually, finish, gateways, load::Load, settled, start, tenant::Tenant};

const PATH: &str = "/things/v1/1";

#[tokio::test]
async fn traffic_goes_on_without_the_xds_server_and_it_catches_up() {
    let mut stack = start(Stack::builder("xds-killed")).await;
    let upstream = echo("things");
    let tenant = Tenant::create(&stack.api, "Acme").await;
    let site = tenant.site("acme").await;
    let version = site.serve_things(upstream.addr).await;
    let (key, revoked) = (site.key("app").await, site.key("revoked").await);
    let gateways = gateways(&stack);
    for key in [&key, &revoked] {
        settled(&gateways, &site.hostname, PATH, &key.text, 200).await;
    }
    let load = Load::start(gateways[0].address(), &site.hostname, PATH, &key.text);
    load.warm_up().await;
    stack.xds.kill().await.expect("a kill");
    load.warm_up().await;
    // What changes meanwhile: a key less, a route more, a site more.
    stack.api.delete(&revoked.path).await.expect("a revocation");
    version.route(&["GET"], "/{id}/more").await;
    let late = tenant.site("late").await;
    late.serve_things(upstream.addr).await;
    let late_key = late.key("app").await;
    assert_eq!(gateways[0].get(&site.hostname, PATH, &revoked.text).await.status, 200, "nobody can have heard of it");
    stack.xds.start().await.expect("a start");
    settled(&gateways, &site.hostname, PATH, &revoked.text, 403).await;
    settled(&gateways, &site.hostname, "/things/v1/1/more", &key.text, 200).await;
    settled(&gateways, &late.hostname, PATH, &late_key.text, 200).await;
    load.stop_without_a_loss().await;
    stack.allow_in_envoy_log("gRPC config stream");
    stack.allow_in_envoy_log("the stream to cluster xds ended");
    finish(stack).await;
}

#[tokio::test]
async fn traffic_goes_on_without_the_database_and_what_changed_arrives() {
    let mut stack = start(Stack::builder("postgres-killed").own_postgres()).await;
    let upstream = echo("things");
    let site = Tenant::create(&stack.api, "Acme").await.site("acme").await;
    site.serve_things(upstream.addr).await;
    let (key, revoked) = (site.key("app").await, site.key("revoked").await);
    let gateways = gateways(&stack);
    for key in [&key, &revoked] {
        settled(&gateways, &site.hostname, PATH, &key.text, 200).await;
    }
    let load = Load::start(gateways[0].address(), &site.hostname, PATH, &key.text);
    load.warm_up().await;
    let postgres = stack.postgres.as_mut().expect("a server of its own");
    postgres.service.kill().await.expect("a kill");
    load.warm_up().await;
    let refused = stack.api.delete(&revoked.path).await.expect_err("there is no database");
    assert_eq!(refused.status().map(|status| status.as_u16()), Some(503), "{refused}");
    assert_eq!(gateways[0].get(&site.hostname, PATH, &revoked.text).await.status, 200);
    stack.postgres.as_mut().expect("a server of its own").service.start().await.expect("a start");
    let revoke = || async { stack.api.delete(&revoked.path).await.is_ok() };
    eventually("the admin service has its database again", revoke, |done| *done).await;
    settled(&gateways, &site.hostname, PATH, &revoked.text, 403).await;
    load.stop_without_a_loss().await;
    finish(stack).await;
}

#[tokio::test]
async fn an_envoy_that_starts_first_lets_nobody_in_until_it_knows_whom() {
    let mut stack = start(Stack::builder("envoy-first").without_xds()).await;
    let upstream = echo("things");
    let site = Tenant::create(&stack.api, "Acme").await.site("acme").await;
    site.serve_things(upstream.addr).await;
    let key = site.key("app").await;
    let gateway = gateways(&stack)[0].clone();
    let connect = || async { tokio::net::TcpStream::connect(gateway.address()).await.is_ok() };
    assert!(!connect().await, "there is no listener before the xDS server has sent one");
    stack.xds.start().await.expect("a start");
    eventually("a listener", connect, |connected| *connected).await;
    // From the first moment: never a pass without a key, and for the right key nothing worse than a moment's 503 or 404.
    let (mut passed, mut last) = (false, 0);
    for _ in 0..2_000 {
        let stranger = gateway.get(&site.hostname, PATH, "").await;
        assert!([403, 404, 503].contains(&stranger.status), "{stranger:?}");
        if stranger.status == 503 {
            assert_eq!(stranger.header("retry-after"), Some("1"), "{stranger:?}");
        }
        last = gateway.get(&site.hostname, PATH, &key.text).await.status;
        passed = last == 200;
        if passed && stranger.status == 403 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert!(passed, "the right key was last answered {last}");
    stack.allow_in_envoy_log("gRPC config stream");
    stack.allow_in_envoy_log("the stream to cluster xds ended");
    finish(stack).await;
}

/// A resumed stream is sent the differences alone.
#[tokio::test]
async fn a_restarted_xds_server_sends_nothing_that_envoys_have() {
    let mut stack = start(Stack::builder("resume").envoys(2)).await;
    let upstream = echo("things");
    let site = Tenant::create(&stack.api, "Acme").await.site("acme").await;
    site.serve_things(upstream.addr).await;
    let key = site.key("app").await;
    let gateways = gateways(&stack);
    settled(&gateways, &site.hostname, PATH, &key.text, 200).await;
    let before = loads(&stack).await;
    stack.xds.kill().await.expect("a kill");
    stack.xds.start().await.expect("a start");
    // A later change of routes is seen by both, so all their streams are back.
    let other = site.version("/others", &site.upstream("others", upstream.addr).await).await;
    other.route(&["GET"], "/{id}").await;
    settled(&gateways, &site.hostname, "/others/v1/1", &key.text, 200).await;
    for (before, after) in before.iter().zip(loads(&stack).await) {
        assert_eq!(before.listeners, after.listeners, "the listener was loaded again");
        assert_eq!(before.filters, after.filters, "the filter was loaded again");
        assert_eq!(before.clusters_replaced, after.clusters_replaced, "a cluster was replaced");
    }
    stack.allow_in_envoy_log("gRPC config stream");
    stack.allow_in_envoy_log("the stream to cluster xds ended");
    finish(stack).await;
}

/// How often an Envoy has loaded what should not have to be loaded again.
#[derive(Debug)]
struct Loads {
    listeners: u64,
    filters: u64,
    clusters_replaced: u64,
}

async fn loads(stack: &Stack) -> Vec<Loads> {
    let mut all = Vec::new();
    for envoy in &stack.envoys {
        let count = |name: &'static str| async move { envoy.stat(name).await.expect("stats").unwrap_or_default() };
        let modified = count("listener_manager.listener_modified").await;
        all.push(Loads {
            listeners: count("listener_manager.listener_added").await + modified,
            filters: count("extension_config_discovery.http_filter.tenantry-filter.config_reload").await,
            clusters_replaced: count("cluster_manager.cluster_modified").await,
        });
    }
    all
}
