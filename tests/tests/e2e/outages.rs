//! The control plane and the database die under load, and come back.

use std::time::{Duration, Instant};

use stack::{Stack, service::Service};
use tenantry_tests::{
    PATIENCE, THING, Things, caught_up, echo, eventually, finish, gateways, load::Load, settled,
    start, tenant::Tenant,
};

#[tokio::test]
async fn traffic_goes_on_without_the_xds_server_and_it_catches_up() {
    let mut things = Things::start(Stack::builder("xds-killed")).await;
    let revoked = things.site.key("revoked").await;
    things.settled(THING, &revoked, 200).await;
    let load =
        Load::start(things.gateways[0].address(), &things.site.hostname, THING, &things.key.text);
    load.warm_up().await;
    things.stack.xds.kill().await.expect("a kill");
    load.warm_up().await;
    // Changes meanwhile: one key less, one route more, one site more.
    things.stack.api.delete(&revoked.path).await.expect("a revocation");
    things.version.route(&["GET"], "/{id}/more").await;
    let late = things.tenant.site("late").await;
    late.serve_things(things.upstream.addr).await;
    let late_key = late.key("app").await;
    let unheard = things.gateways[0].get(&things.site.hostname, THING, &revoked.text).await;
    assert_eq!(unheard.status, 200, "nobody can have heard of it");
    things.stack.xds.start().await.expect("a start");
    things.settled(THING, &revoked, 403).await;
    things.settled("/things/v1/1/more", &things.key, 200).await;
    settled(&things.gateways, &late.hostname, THING, &late_key.text, 200).await;
    load.stop_without_a_loss().await;
    allow_lost_streams(&mut things.stack);
    finish(things.stack).await;
}

#[tokio::test]
async fn traffic_goes_on_without_the_database_and_what_changed_arrives() {
    let mut things = Things::start(Stack::builder("postgres-killed").own_postgres()).await;
    let revoked = things.site.key("revoked").await;
    things.settled(THING, &revoked, 200).await;
    let load =
        Load::start(things.gateways[0].address(), &things.site.hostname, THING, &things.key.text);
    load.warm_up().await;
    postgres(&mut things.stack).kill().await.expect("a kill");
    load.warm_up().await;
    let refused = things.stack.api.delete(&revoked.path).await.expect_err("there is no database");
    assert_eq!(refused.status().map(|status| status.as_u16()), Some(503), "{refused}");
    assert_eq!(
        things.gateways[0].get(&things.site.hostname, THING, &revoked.text).await.status,
        200
    );
    postgres(&mut things.stack).start().await.expect("a start");
    let revoke = || async { things.stack.api.delete(&revoked.path).await.is_ok() };
    eventually("the admin service has its database again", revoke, |done| *done).await;
    things.settled(THING, &revoked, 403).await;
    load.stop_without_a_loss().await;
    finish(things.stack).await;
}

pub(crate) fn postgres(stack: &mut Stack) -> &mut Service {
    &mut stack.postgres.as_mut().expect("a server of its own").service
}

/// Allows the complaints of an Envoy whose control plane is gone, for tests that take it away.
pub(crate) fn allow_lost_streams(stack: &mut Stack) {
    stack.allow_in_envoy_log("gRPC config stream");
    stack.allow_in_envoy_log("the stream to cluster xds ended");
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
    // From the first moment: a request without a key never passes, and one with the right key meets
    // nothing worse than a moment's 503 or 404.
    let begun = Instant::now();
    loop {
        let stranger = gateway.get(&site.hostname, THING, "").await;
        assert!([403, 404, 503].contains(&stranger.status), "{stranger:?}");
        if stranger.status == 503 {
            assert_eq!(stranger.header("retry-after"), Some("1"), "{stranger:?}");
        }
        let known = gateway.get(&site.hostname, THING, &key.text).await.status;
        if known == 200 && stranger.status == 403 {
            break;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "the last answers were {known} to the right key, {} without one",
            stranger.status
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    allow_lost_streams(&mut stack);
    finish(stack).await;
}

/// Before its first sync the filter knows no key, and says so: even the right key does not pass.
#[tokio::test]
async fn a_filter_that_has_heard_of_nothing_refuses_everything() {
    let stack = start(Stack::builder("no-mirror").without_mirror()).await;
    let upstream = echo("things");
    let site = Tenant::create(&stack.api, "Acme").await.site("acme").await;
    site.serve_things(upstream.addr).await;
    let key = site.key("app").await;
    let gateway = &gateways(&stack)[0];
    for host in [site.hostname.as_str(), "nobody.gw.localhost", "api.gw.localhost"] {
        for key in ["", &key.text] {
            let answer = gateway.get(host, THING, key).await;
            answer.assert_problem(503);
            assert_eq!(answer.header("retry-after"), Some("1"), "{host}");
        }
    }
    assert_eq!(upstream.total(), 0);
    finish(stack).await;
}

/// The routes of a site come with its first request. While nobody can send them, the request is
/// refused soon.
#[tokio::test]
async fn a_site_that_was_never_asked_for_has_to_wait_for_the_xds_server() {
    let mut things = Things::start(Stack::builder("cold-outage")).await;
    let cold = things.tenant.site("cold").await;
    cold.serve_things(things.upstream.addr).await;
    let key = cold.key("app").await;
    // The filter knows the site and the key, and Envoy the site's scope, but its routes were not
    // asked for yet.
    caught_up(&things.stack).await;
    settled(&things.gateways, &cold.hostname, "/none", &key.text, 404).await;
    settled(&things.gateways, &cold.hostname, "/none", "", 403).await;
    things.stack.xds.kill().await.expect("a kill");
    things.gateways[0].get(&cold.hostname, THING, &key.text).await.assert_problem(504);
    assert_eq!(things.get(THING).await.status, 200, "a loaded site goes on");
    things.stack.xds.start().await.expect("a start");
    settled(&things.gateways, &cold.hostname, THING, &key.text, 200).await;
    things.stack.allow_in_envoy_log("initial fetch timed out");
    allow_lost_streams(&mut things.stack);
    finish(things.stack).await;
}

/// A resumed stream is sent the differences alone.
#[tokio::test]
async fn a_restarted_xds_server_sends_nothing_that_envoys_have() {
    let mut things = Things::start(Stack::builder("resume").envoys(2)).await;
    let before = loads(&things.stack).await;
    things.stack.xds.kill().await.expect("a kill");
    things.stack.xds.start().await.expect("a start");
    // A later change of routes is seen by both, so all their streams are back.
    let other = things
        .site
        .version("/others", &things.site.upstream("others", things.upstream.addr).await)
        .await;
    other.route(&["GET"], "/{id}").await;
    things.settled("/others/v1/1", &things.key, 200).await;
    for (before, after) in before.iter().zip(loads(&things.stack).await) {
        assert_eq!(before.listeners, after.listeners, "the listener was loaded again");
        assert_eq!(before.filters, after.filters, "the filter was loaded again");
        assert_eq!(before.clusters_replaced, after.clusters_replaced, "a cluster was replaced");
    }
    allow_lost_streams(&mut things.stack);
    finish(things.stack).await;
}

/// Counts of loads that should not have to happen again.
#[derive(Debug)]
struct Loads {
    listeners: u64,
    filters: u64,
    clusters_replaced: u64,
}

async fn loads(stack: &Stack) -> Vec<Loads> {
    let mut all = Vec::new();
    for envoy in &stack.envoys {
        let count = |name: &'static str| async move {
            envoy.stat(name).await.expect("stats").unwrap_or_default()
        };
        let modified = count("listener_manager.listener_modified").await;
        all.push(Loads {
            listeners: count("listener_manager.listener_added").await + modified,
            filters: count("extension_config_discovery.http_filter.tenantry-filter.config_reload")
                .await,
            clusters_replaced: count("cluster_manager.cluster_modified").await,
        });
    }
    all
}
