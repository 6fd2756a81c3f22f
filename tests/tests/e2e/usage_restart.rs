//! Usage over restarts of the parts: the bill is the upstream's count.

use std::time::Duration;

use reqwest::Method;
use stack::{Stack, echo::Echo};
use tenantry_tests::{
    THING, Things, echo, eventually, finish,
    gateway::{Answer, Gateway},
    settled,
    tenant::{Key, Site},
};

use super::usage::{Sums, send_again, sums};

/// The time that Envoy drains here, and a little more. At its end, every answer says that the
/// connection ends; before, some do.
const DRAINED: Duration = Duration::from_millis(2_500);

/// A site with an upstream of its own, so that the upstream's ledger is the truth.
struct Counted {
    site: Site,
    key: Key,
    upstream: Echo,
}

impl Counted {
    /// Eight clients at once, with connections of their own so that all workers take part, send
    /// this number of requests each.
    async fn wave(&self, things: &Things, times: u64) {
        let clients = (0..8).map(|_| async {
            let gateway = Gateway::new(things.gateways[0].address());
            for _ in 0..times {
                assert_eq!(
                    gateway.get(&self.site.hostname, THING, &self.key.text).await.status,
                    200
                );
            }
        });
        futures::future::join_all(clients).await;
    }

    /// Waits until the sums of served requests equal the upstream's count plus the made-up ones;
    /// returns the upstream's.
    async fn equal(&self, things: &Things, made_up: u64) -> u64 {
        let served = |sums: Sums| {
            sums.into_iter().filter(|((_, class), _)| class == "2xx").map(|(_, count)| count).sum()
        };
        let billed = || async { served(sums(things, &self.site).await) };
        let ledger = self.upstream.total();
        eventually("the sums of the ledger", billed, |billed| *billed >= ledger + made_up).await;
        // They are still the same one report later.
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert_eq!((billed().await, self.upstream.total()), (ledger + made_up, ledger));
        ledger
    }
}

/// Makes Envoy end its connections in order while requests are under way, and starts it again when
/// everything was reported.
async fn restart_gracefully(things: &mut Things, counted: &Counted) {
    let (host, key) = (counted.site.hostname.clone(), counted.key.text.clone());
    let before = counted.upstream.total();
    let slow = (0..4).map(|_| {
        let (gateway, host, key) =
            (Gateway::new(things.gateways[0].address()), host.clone(), key.clone());
        let ask = async move {
            let headers = [("x-api-key", key.as_str()), ("x-echo-hold", "1")];
            gateway.send(Method::GET, &host, THING, &headers).await
        };
        tokio::spawn(ask)
    });
    let slow: Vec<_> = slow.collect();
    let under_way = || std::future::ready(counted.upstream.total() - before);
    eventually("the slow requests", under_way, |under_way| *under_way == 4).await;
    let drain = format!("{}/drain_listeners?graceful", things.stack.envoys[0].admin_url());
    let drained = reqwest::Client::new().post(drain).send().await.expect("Envoy's admin interface");
    assert_eq!(drained.status(), 200);
    tokio::time::sleep(DRAINED).await;
    counted.upstream.release();
    for answer in slow {
        let answer: Answer = answer.await.expect("a request");
        assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    }
    counted.equal(things, 0).await;
    let envoy = &mut things.stack.envoys[0].service;
    envoy.stop().await.expect("an end");
    envoy.start().await.expect("a start");
    settled(&things.gateways, &host, THING, &key, 200).await;
}

#[tokio::test]
async fn the_sums_are_the_upstreams_ledger_though_all_parts_are_restarted() {
    let mut things = Things::start(Stack::builder("usage-restart")).await;
    let site = things.tenant.site("counted").await;
    let upstream = echo("counted");
    site.serve_things(upstream.addr).await;
    let key = site.key("app").await;
    settled(&things.gateways, &site.hostname, THING, &key.text, 200).await;
    let counted = Counted { site, key, upstream };

    counted.wave(&things, 100).await;
    restart_gracefully(&mut things, &counted).await;
    let before = counted.upstream.total();
    counted.wave(&things, 50).await;
    things.stack.xds.kill().await.expect("a kill");
    counted.wave(&things, 50).await;
    things.stack.xds.start().await.expect("a start");
    counted.wave(&things, 50).await;
    let after = counted.equal(&things, 0).await;
    assert_eq!(after - before, 8 * 150);
    for _ in 0..2 {
        send_again(&things, &counted.site).await;
        assert_eq!(counted.equal(&things, 7).await, after);
    }
    println!(
        "usage: {after} requests in the upstream's ledger and in the sums, over restarts of Envoy \
        and xds-server"
    );
    things.stack.allow_in_envoy_log("gRPC config stream");
    things.stack.allow_in_envoy_log("the stream to cluster xds ended");
    finish(things.stack).await;
}
