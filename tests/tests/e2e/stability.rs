//! No part that dies or stands still costs a request, and Envoys have the database's state
//! afterwards.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use stack::Stack;
use stack::testing::Builder;
use tenantry_tests::load::Load;
use tenantry_tests::recorder::{Recorder, differences};
use tenantry_tests::tenant::{Key, Site};
use tenantry_tests::{THING, Things, caught_up, eventually, finish, settled};

use crate::outages::{allow_lost_streams, postgres};

/// The `/readyz` of an xds-server.
async fn readiness(http: SocketAddr) -> Value {
    match reqwest::get(format!("http://{http}/readyz")).await {
        Ok(answer) => answer.json().await.unwrap_or_default(),
        Err(_) => Value::Null,
    }
}

async fn eventually_serves_from(http: SocketAddr, source: &str) -> Value {
    eventually("the source", || readiness(http), |ready| ready["source"] == source).await
}

async fn metric(http: SocketAddr, name: &str) -> Option<f64> {
    let text = reqwest::get(format!("http://{http}/metrics")).await.ok()?.text().await.ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

/// Waits until all changes so far are on the disk of the first xds-server.
async fn stored(stack: &Stack) {
    let mut superuser = stack.superuser().await.expect("a session");
    let head: i64 = sqlx::query_scalar("SELECT coalesce(max(seq), 0) FROM change_log")
        .fetch_one(&mut superuser)
        .await
        .expect("the head of the log");
    let saved = || metric(stack.xds_http, "tenantry_xds_state_seq ");
    eventually("the state on disk", saved, |seq| seq.is_some_and(|seq| seq >= head as f64)).await;
}

/// Makes another site with a key, which no Envoy has loaded.
async fn cold_site(things: &Things, slug: &str) -> (Site, Key) {
    let site = things.tenant.site(slug).await;
    site.serve_things(things.upstream.addr).await;
    let key = site.key("app").await;
    caught_up(&things.stack).await;
    settled(&things.gateways, &site.hostname, "/none", &key.text, 404).await;
    (site, key)
}

fn loads(things: &Things) -> Vec<Load> {
    let gateways = things.gateways.iter();
    gateways
        .map(|gateway| {
            Load::start(gateway.address(), &things.site.hostname, THING, &things.key.text)
        })
        .collect()
}

fn with_state(name: &str) -> Builder {
    Stack::builder(name).own_postgres().state_on_disk()
}

/// Revokes a key and adds a route, and waits until every Envoy has both.
async fn edit(things: &Things, round: &str) {
    let revoked = things.site.key(round).await;
    things.settled(THING, &revoked, 200).await;
    things.stack.api.delete(&revoked.path).await.expect("a revocation");
    things.version.route(&["GET"], &format!("/{{id}}/{round}")).await;
    things.settled(THING, &revoked, 403).await;
    things.settled(&format!("/things/v1/1/{round}"), &things.key, 200).await;
}

/// Stops and starts the database, and the admin service with it.
async fn restart_postgres(things: &mut Things) {
    things.stack.postgres.as_mut().expect("a server of its own").restart().await.expect("a start");
    let tenants = || async { things.stack.api.get("/v1/tenants").await.is_ok() };
    eventually("the admin service has its database again", tenants, |answered| *answered).await;
}

#[tokio::test]
async fn an_xds_server_starts_and_serves_without_the_database_and_catches_up() {
    let mut things = Things::start(with_state("cold-start")).await;
    let http = things.stack.xds_http;
    let (cold, cold_key) = cold_site(&things, "cold").await;
    let revoked = things.site.key("revoked").await;
    things.settled(THING, &revoked, 200).await;
    things.stack.api.delete(&revoked.path).await.expect("a revocation");
    things.settled(THING, &revoked, 403).await;
    stored(&things.stack).await;
    let load = loads(&things);
    postgres(&mut things.stack).kill().await.expect("a kill");
    things.stack.xds.kill().await.expect("a kill");
    things.stack.xds.start().await.expect("a start without PostgreSQL");
    let ready = eventually_serves_from(http, "disk").await;
    assert_eq!(
        (&ready["postgresql"], &ready["ready"]),
        (&Value::from("away"), &Value::from(true)),
        "{ready}"
    );
    assert_eq!(metric(http, "tenantry_xds_from_disk ").await, Some(1.0));
    // The Envoy gets the site that it never had; the key that was taken from it stays refused.
    settled(&things.gateways, &cold.hostname, THING, &cold_key.text, 200).await;
    things.settled(THING, &revoked, 403).await;
    // An Envoy that starts now gets the whole state.
    things.stack.envoys[0].service.stop().await.expect("a stop");
    for load in load {
        load.stop().await;
    }
    things.stack.envoys[0].service.start().await.expect("a start");
    things.settled(THING, &things.key, 200).await;
    things.settled(THING, &revoked, 403).await;
    settled(&things.gateways, &cold.hostname, THING, &cold_key.text, 200).await;
    restart_postgres(&mut things).await;
    let ready = eventually_serves_from(http, "postgresql").await;
    assert_eq!(ready["postgresql"], "connected", "{ready}");
    edit(&things, "afterwards").await;
    allow_lost_streams(&mut things.stack);
    finish(things.stack).await;
}

/// An edge with an xds-server beside it, cut off from everything else, starts cold: first the
/// Envoy, which waits for the other.
#[tokio::test]
async fn an_xds_server_beside_an_envoy_starts_cold_with_it() {
    let mut things = Things::start(with_state("sidecar")).await;
    let (cold, cold_key) = cold_site(&things, "cold").await;
    let revoked = things.site.key("revoked").await;
    things.settled(THING, &revoked, 200).await;
    things.stack.api.delete(&revoked.path).await.expect("a revocation");
    things.settled(THING, &revoked, 403).await;
    stored(&things.stack).await;
    postgres(&mut things.stack).kill().await.expect("a kill");
    things.stack.xds.kill().await.expect("a kill");
    things.stack.envoys[0].service.kill().await.expect("a kill");
    things.stack.envoys[0].service.launch().expect("a start of the Envoy alone");
    things.stack.xds.start().await.expect("a start without PostgreSQL");
    things.stack.envoys[0].service.wait_ready().await.expect("a listener");
    // Holds from the first request on.
    assert_eq!(things.get(THING).await.status, 200);
    assert_eq!(things.get_with(&revoked.text).await.status, 403);
    assert_eq!(things.gateways[0].get(&cold.hostname, THING, &cold_key.text).await.status, 200);
    assert_eq!(readiness(things.stack.xds_http).await["source"], "disk");
    restart_postgres(&mut things).await;
    eventually_serves_from(things.stack.xds_http, "postgresql").await;
    edit(&things, "afterwards").await;
    allow_lost_streams(&mut things.stack);
    finish(things.stack).await;
}

/// Changes in the database that nobody could hear of, and that the log no longer has, are found all
/// the same.
#[tokio::test]
async fn a_stored_state_that_the_log_does_not_reach_back_to_is_replaced() {
    let mut things = Things::start(with_state("pruned")).await;
    let revoked = things.site.key("revoked").await;
    things.settled(THING, &revoked, 200).await;
    stored(&things.stack).await;
    things.stack.xds.kill().await.expect("a kill");
    things.stack.api.delete(&revoked.path).await.expect("a revocation");
    let mut superuser = things.stack.superuser().await.expect("a session");
    for statement in [
        "UPDATE change_log_floor SET pruned_through = (SELECT max(seq) FROM change_log)",
        "DELETE FROM change_log",
    ] {
        sqlx::query(statement).execute(&mut superuser).await.expect("a log that was pruned");
    }
    things.stack.xds.start().await.expect("a start");
    things.settled(THING, &revoked, 403).await;
    edit(&things, "afterwards").await;
    allow_lost_streams(&mut things.stack);
    finish(things.stack).await;
}

/// A state file that the disk has damaged is not served: the start waits for PostgreSQL, as without
/// a file.
#[tokio::test]
async fn a_damaged_state_is_reported_and_not_served() {
    let mut things = Things::start(with_state("damaged")).await;
    stored(&things.stack).await;
    things.stack.xds.stop().await.expect("a stop");
    let state = things.stack.dir().join("tenantry-xds-state");
    let files = std::fs::read_dir(&state).expect("the directory").flatten().map(|file| file.path());
    let base =
        files.into_iter().find(|file| file.to_string_lossy().contains("/base-")).expect("a base");
    let mut bytes = std::fs::read(&base).expect("its bytes");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&base, bytes).expect("a damaged base");
    postgres(&mut things.stack).kill().await.expect("a kill");
    things.stack.xds.launch().expect("a start");
    let says = || async { readiness(things.stack.xds_http).await };
    let ready = eventually("an answer", says, |ready| ready["ready"] == false).await;
    assert_eq!(ready["source"], "nothing", "{ready}");
    let log = std::fs::read_to_string(&things.stack.xds.launch.log).expect("the log");
    assert!(log.contains("is damaged at byte"), "{log}");
    restart_postgres(&mut things).await;
    eventually_serves_from(things.stack.xds_http, "postgresql").await;
    edit(&things, "afterwards").await;
    allow_lost_streams(&mut things.stack);
    finish(things.stack).await;
}

/// Every part dies or stands still once, under load.
#[tokio::test]
async fn the_kill_matrix_costs_no_request_and_leaves_the_state_of_the_database() {
    let mut things =
        Things::start(with_state("kill-matrix").replicas(2).envoys(2).hot_restart()).await;
    edit(&things, "before").await;
    stored(&things.stack).await;
    let load = loads(&things);
    things.stack.xds.kill().await.expect("a kill");
    edit(&things, "without-the-first").await;
    things.stack.xds.start().await.expect("a start");
    things.stack.replicas[0].service.pause().expect("a pause");
    edit(&things, "second-paused").await;
    things.stack.replicas[0].service.resume().expect("an end of the pause");
    edit(&things, "second-resumed").await;
    stored(&things.stack).await;
    // The database dies, and then a replica that has to start without it.
    postgres(&mut things.stack).kill().await.expect("a kill");
    things.stack.xds.kill().await.expect("a kill");
    things.stack.xds.start().await.expect("a start without PostgreSQL");
    tokio::time::sleep(Duration::from_secs(1)).await;
    restart_postgres(&mut things).await;
    edit(&things, "database-back").await;
    // The network between Envoys and the whole control plane fails.
    things.stack.xds.pause().expect("a pause");
    things.stack.replicas[0].service.pause().expect("a pause");
    let unheard = things.site.key("unheard").await;
    things.stack.api.delete(&unheard.path).await.expect("a revocation");
    tokio::time::sleep(Duration::from_secs(4)).await;
    things.stack.xds.resume().expect("an end of the pause");
    things.stack.replicas[0].service.resume().expect("an end of the pause");
    things.settled(THING, &unheard, 403).await;
    edit(&things, "network-back").await;
    things.stack.envoys[1].hot_restart().await.expect("a successor");
    edit(&things, "envoy-restarted").await;
    things.stack.replicas[0].service.kill().await.expect("a kill");
    things.stack.xds.kill().await.expect("a kill");
    things.stack.api.get("/v1/tenants").await.expect("the admin service goes on");
    things.stack.xds.start().await.expect("a start");
    things.stack.replicas[0].service.start().await.expect("a start");
    edit(&things, "both-back").await;
    let mut requests = 0;
    for load in load {
        requests += load.stop_without_a_loss().await;
    }
    println!("stability: {requests} requests, none failed");
    assert_state_equals_database(&mut things).await;
    allow_hand_over(&mut things.stack);
    allow_lost_streams(&mut things.stack);
    finish(things.stack).await;
}

/// Makes every Envoy, and its mirror, list its resources, and asks an xds-server that has read
/// everything anew for differences.
async fn assert_state_equals_database(things: &mut Things) {
    things.stack.replicas[0].service.kill().await.expect("a kill");
    things.stack.xds.kill().await.expect("a kill");
    let recorder = Recorder::start(things.stack.xds_addr).await;
    let openings = recorder.finish(things.stack.envoys.len()).await;
    things.stack.xds.start().await.expect("a start");
    eventually_serves_from(things.stack.xds_http, "postgresql").await;
    let mut resources = 0;
    for opening in &openings {
        resources +=
            opening.values().map(|request| request.initial_resource_versions.len()).sum::<usize>();
        let differences = differences(things.stack.xds_addr, opening).await;
        assert!(
            differences.is_empty(),
            "an Envoy has something else than the database: {differences:#?}"
        );
    }
    assert!(resources > 20, "the Envoys list what they have: {openings:?}");
    println!(
        "stability: {resources} resources of {} streams are those of the database",
        openings.len()
    );
}

/// Allows the complaints of an Envoy that hands over.
fn allow_hand_over(stack: &mut Stack) {
    stack.allow_in_envoy_log("shutting down admin due to child startup");
    stack.allow_in_envoy_log("terminating parent process");
}

/// An Envoy hands its sockets over to a successor, which starts empty and takes requests as soon as
/// it has its state.
#[tokio::test]
async fn a_hot_restart_of_an_envoy_costs_no_request() {
    let mut things = Things::start(Stack::builder("hot-restart").hot_restart()).await;
    let load = loads(&things);
    for round in 0..3 {
        things.stack.envoys[0].hot_restart().await.expect("a successor");
        edit(&things, &format!("round-{round}")).await;
    }
    for load in load {
        println!("stability: {} requests, none failed", load.stop_without_a_loss().await);
    }
    allow_hand_over(&mut things.stack);
    finish(things.stack).await;
}

/// Each Envoy in turn is taken out, restarted, and taken in when it says that it is ready, as a
/// load balancer does it.
#[tokio::test]
async fn a_rolling_restart_of_envoys_costs_no_request() {
    let mut things = Things::start(Stack::builder("rolling").envoys(2)).await;
    for round in 0..4 {
        let (out, stays) = (round % 2, (round + 1) % 2);
        let load = Load::start(
            things.gateways[stays].address(),
            &things.site.hostname,
            THING,
            &things.key.text,
        );
        load.warm_up().await;
        things.stack.envoys[out].service.stop().await.expect("a stop");
        things.stack.envoys[out].service.start().await.expect("a start");
        // The first request after `/ready` is answered well, and so are all that follow.
        for _ in 0..200 {
            let headers = [("x-api-key", things.key.text.as_str())];
            let answer = things.gateways[out]
                .send(Method::GET, &things.site.hostname, THING, &headers)
                .await;
            assert_eq!(answer.status, 200, "round {round}: {answer:?}");
        }
        load.stop_without_a_loss().await;
    }
    allow_lost_streams(&mut things.stack);
    finish(things.stack).await;
}
