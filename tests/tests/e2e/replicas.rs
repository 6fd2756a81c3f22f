//! Several xds-servers on one database: an Envoy may be connected to any of them, and loses nothing
//! when it moves to another.

use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::Connection as _;
use stack::Stack;
use stack::service::Service;
use tenantry_tests::{
    PATIENCE, THING, Things, echo, eventually, finish, gateways, load::Load, settled, start,
    tenant::Tenant,
};

use crate::outages::allow_lost_streams;

/// Two replicas and two Envoys, each connected to another replica at first.
async fn two_of_each(name: &str) -> Things {
    Things::start(Stack::builder(name).replicas(2).envoys(2)).await
}

/// Changes while a replica is away: one key less, one route more, one key more. Every Envoy hears
/// of all of them.
async fn change_everything(things: &Things, round: usize) {
    let revoked = things.site.key(&format!("revoked-{round}")).await;
    things.settled(THING, &revoked, 200).await;
    things.stack.api.delete(&revoked.path).await.expect("a revocation");
    things.settled(THING, &revoked, 403).await;
    things.version.route(&["GET"], &format!("/{{id}}/round-{round}")).await;
    things.settled(&format!("/things/v1/1/round-{round}"), &things.key, 200).await;
    things.settled(THING, &revoked, 403).await;
}

fn loads(things: &Things) -> Vec<Load> {
    let start = |gateway: &tenantry_tests::gateway::Gateway| {
        Load::start(gateway.address(), &things.site.hostname, THING, &things.key.text)
    };
    things.gateways.iter().map(start).collect()
}

async fn end(mut things: Things, loads: Vec<Load>) {
    for load in loads {
        load.stop_without_a_loss().await;
    }
    allow_lost_streams(&mut things.stack);
    finish(things.stack).await;
}

#[tokio::test]
async fn envoys_go_on_with_the_other_replica_when_theirs_is_killed() {
    let mut things = two_of_each("replica-killed").await;
    let loads = loads(&things);
    things.stack.xds.kill().await.expect("a kill");
    change_everything(&things, 0).await;
    things.stack.xds.start().await.expect("a start");
    things.stack.replicas[0].service.kill().await.expect("a kill");
    change_everything(&things, 1).await;
    things.stack.replicas[0].service.start().await.expect("a start");
    change_everything(&things, 2).await;
    end(things, loads).await;
}

/// A replica that stands still keeps its connections, and takes new ones: only its silence shows
/// it.
#[tokio::test]
async fn envoys_leave_a_replica_that_stands_still() {
    let things = two_of_each("replica-paused").await;
    let loads = loads(&things);
    things.stack.xds.pause().expect("a pause");
    let start = Instant::now();
    change_everything(&things, 0).await;
    println!("replicas: every Envoy had left the silent replica after {:?}", start.elapsed());
    // It goes on with its old state, and hears of the rest.
    things.stack.xds.resume().expect("an end of the pause");
    change_everything(&things, 1).await;
    things.stack.replicas[0].service.pause().expect("a pause");
    change_everything(&things, 2).await;
    things.stack.replicas[0].service.resume().expect("an end of the pause");
    change_everything(&things, 3).await;
    end(things, loads).await;
}

#[tokio::test]
async fn a_replica_that_stops_in_order_sends_its_envoys_to_the_other() {
    let mut things = two_of_each("replica-stopped").await;
    let loads = loads(&things);
    for round in 0..2 {
        let replica: &mut Service =
            if round == 0 { &mut things.stack.xds } else { &mut things.stack.replicas[0].service };
        replica.stop().await.expect("a stop");
        change_everything(&things, round).await;
        let replica: &mut Service =
            if round == 0 { &mut things.stack.xds } else { &mut things.stack.replicas[0].service };
        replica.start().await.expect("a start");
    }
    end(things, loads).await;
}

/// The process of PostgreSQL that sends the notifications of a replica.
async fn listeners(stack: &Stack) -> Vec<i32> {
    let mut superuser = stack.superuser().await.expect("a session");
    let query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() \
        AND query ILIKE 'LISTEN%'";
    let pids = sqlx::query_scalar(query).fetch_all(&mut superuser).await.expect("the sessions");
    superuser.close().await.expect("an end of the session");
    pids
}

#[tokio::test]
async fn a_change_is_found_when_its_notification_is_lost() {
    let things = Things::start(Stack::builder("notification-lost").own_postgres()).await;
    let revoked = things.site.key("revoked").await;
    things.settled(THING, &revoked, 200).await;
    let deaf = listeners(&things.stack).await;
    assert_eq!(deaf.len(), 1, "xds-server listens on one connection");
    for pid in &deaf {
        kill(Pid::from_raw(*pid), Signal::SIGSTOP).expect("the session stands still");
    }
    things.stack.api.delete(&revoked.path).await.expect("a revocation");
    let start = Instant::now();
    things.settled(THING, &revoked, 403).await;
    println!("replicas: a change without a notification was found after {:?}", start.elapsed());
    for pid in &deaf {
        kill(Pid::from_raw(*pid), Signal::SIGCONT).expect("the session goes on");
    }
    finish(things.stack).await;
}

#[tokio::test]
async fn a_change_is_found_when_the_session_that_listened_is_ended() {
    let things = Things::start(Stack::builder("listener-ended").own_postgres()).await;
    for round in 0..3 {
        let revoked = things.site.key(&format!("revoked-{round}")).await;
        things.settled(THING, &revoked, 200).await;
        let mut superuser = things.stack.superuser().await.expect("a session");
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE datname = current_database() AND query ILIKE 'LISTEN%'";
        sqlx::query(end).execute(&mut superuser).await.expect("the sessions end");
        things.stack.api.delete(&revoked.path).await.expect("a revocation");
        things.settled(THING, &revoked, 403).await;
        superuser.close().await.expect("an end of the session");
    }
    finish(things.stack).await;
}

/// Edits have an order, and no Envoy goes back in it, whichever replica it is on.
#[tokio::test]
async fn no_envoy_goes_back_to_an_older_state() {
    let mut stack = start(Stack::builder("replica-order").replicas(2).envoys(2)).await;
    let upstreams = [echo("0"), echo("1")];
    let site = Tenant::create(&stack.api, "Acme").await.site("acme").await;
    let version = site.serve_things(upstreams[0].addr).await;
    let key = site.key("app").await;
    let gateways = gateways(&stack);
    settled(&gateways, &site.hostname, THING, &key.text, 200).await;
    // Keys are revoked one after the other, so that those that an Envoy refuses are the first of
    // the row.
    let mut row = Vec::new();
    for number in 0..12 {
        row.push(site.key(&format!("key-{number}")).await);
    }
    for key in &row {
        settled(&gateways, &site.hostname, THING, &key.text, 200).await;
    }
    let mut furthest = vec![0; gateways.len()];
    for (number, revoked) in row.iter().enumerate() {
        match number % 4 {
            0 => stack.xds.pause().expect("a pause"),
            1 => stack.xds.resume().expect("an end of the pause"),
            2 => stack.replicas[0].service.kill().await.expect("a kill"),
            _ => stack.replicas[0].service.start().await.expect("a start"),
        }
        stack.api.delete(&revoked.path).await.expect("a revocation");
        let deadline = Instant::now() + PATIENCE;
        while furthest.iter().any(|count| *count <= number) {
            assert!(
                Instant::now() < deadline,
                "revocation {number} is not known everywhere: {furthest:?}"
            );
            for (gateway, furthest) in gateways.iter().zip(&mut furthest) {
                for (place, key) in row.iter().enumerate().take(number + 1) {
                    let status = gateway.get(&site.hostname, THING, &key.text).await.status;
                    assert!(
                        status == 403 || place >= *furthest,
                        "key {place} works again after {furthest} were refused"
                    );
                    if status == 403 {
                        *furthest = (*furthest).max(place + 1);
                    }
                }
            }
        }
    }
    let routes = || async { version.routes().await.len() };
    eventually("the routes", routes, |count| *count == 1).await;
    allow_lost_streams(&mut stack);
    finish(stack).await;
}
