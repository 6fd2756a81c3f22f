//! The effects of one tenant on another one in the same Envoy.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use stack::{Stack, echo::Echo, envoy::Edge};
use tenantry_tests::{
    THING, Things, caught_up, echo, eventually, finish,
    gateway::{Answer, Gateway},
    load::{Counted, Load},
    settled,
    tenant::{Key, Site, Tenant, id},
};
use tokio::task::JoinSet;

/// The time for which the neighbour is watched, each time.
const WATCHED: Duration = Duration::from_secs(3);

/// Another tenant on the Envoys of [`Things`].
struct Neighbour {
    tenant: Tenant,
    site: Site,
    key: Key,
    upstream: Echo,
}

impl Neighbour {
    async fn of(things: &Things) -> Self {
        let tenant = Tenant::create(&things.stack.api, "Globex").await;
        let site = tenant.site("globex").await;
        let upstream = echo("globex");
        site.serve_things(upstream.addr).await;
        let key = site.key("app").await;
        settled(&things.gateways, &site.hostname, THING, &key.text, 200).await;
        Self { tenant, site, key, upstream }
    }

    /// The neighbour's own load, watched for a while.
    async fn watched(&self, things: &Things) -> Counted {
        let load =
            Load::start(things.gateways[0].address(), &self.site.hostname, THING, &self.key.text);
        tokio::time::sleep(WATCHED).await;
        load.stop().await
    }
}

/// The requests of a tenant that asks for far more than its limit are refused by the filter; its
/// neighbour does not lose a request.
#[tokio::test]
async fn a_noisy_tenant_costs_its_neighbour_no_request() {
    const PER_SECOND: u64 = 50;
    let things = Things::start(Stack::builder("noisy")).await;
    let neighbour = Neighbour::of(&things).await;
    let loud = json!({ "name": "loud", "requests": PER_SECOND, "per": "second" });
    things.tenant.set(json!({ "limits": [loud], "max_concurrent_requests": 4 })).await;
    let limited = |answer: &Answer| {
        answer.header("ratelimit-policy").is_some_and(|field| field.starts_with(r#""loud";"#))
    };
    eventually("the limit", || things.get_with(&things.key.text), limited).await;
    let before = neighbour.watched(&things).await;
    let address = things.gateways[0].address();
    let begun = Instant::now();
    let floods: Vec<_> = (0..4)
        .map(|_| Load::start(address, &things.site.hostname, THING, &things.key.text))
        .collect();
    let under = neighbour.watched(&things).await;
    let (mut asked, mut refused) = (0, 0);
    for flood in floods {
        let counted = flood.stop().await;
        asked += counted.requests;
        refused += counted.not_ok;
    }
    // A burst of a second's requests, and the tokens that came back until all of the flood had
    // ended.
    let allowed = PER_SECOND * (2 + begun.elapsed().as_secs());
    println!("noisy: the neighbour before the flood: {before}");
    println!(
        "noisy: the neighbour under a flood of {asked} requests, {refused} of them refused: {under}"
    );
    for counted in [&before, &under] {
        assert_eq!((counted.not_ok, counted.broken), (0, 0), "{counted}");
        assert!(counted.requests > 100, "{counted}");
    }
    assert!(
        asked - refused <= allowed && refused > asked / 2,
        "{} of {asked} got through",
        asked - refused
    );
    finish(things.stack).await;
}

/// The number of requests under way from which on tenants are held to their share.
const SHED_ABOVE: u32 = 8;
/// The time that Envoy lets a request of the test be under way: as long as its client waits.
const REQUEST_TIMEOUT_MS: u32 = 30_000;

/// Requests that stay under way until they are dropped.
struct Held {
    /// Ends the requests when it is dropped.
    _requests: JoinSet<u16>,
    under_way: u64,
    shed: u64,
}

impl Held {
    /// Sends so many requests at once, and waits until each has reached the upstream or was shed.
    async fn send(gateway: &Gateway, site: &Site, key: &Key, upstream: &Echo, count: u64) -> Self {
        let before = upstream.total();
        let mut requests = JoinSet::new();
        for _ in 0..count {
            let (gateway, host, key) = (gateway.clone(), site.hostname.clone(), key.text.clone());
            requests.spawn(async move {
                let headers = [("x-api-key", key.as_str()), ("x-echo-hold", "1")];
                gateway.send(Method::GET, &host, THING, &headers).await.status
            });
        }
        let mut shed = 0;
        let mut look = || {
            while let Some(ended) = requests.try_join_next() {
                assert_eq!(ended.expect("a request"), 503, "a request that is held ended");
                shed += 1;
            }
            std::future::ready((upstream.total() - before, shed))
        };
        let known = |(under_way, shed): &(u64, u64)| under_way + shed == count;
        let (under_way, shed) = eventually("the fate of all requests", &mut look, known).await;
        Self { _requests: requests, under_way, shed }
    }

    /// The numbers of requests that are under way, and that were shed.
    fn counts(&self) -> (u64, u64) {
        (self.under_way, self.shed)
    }
}

/// Above the threshold, a tenant may take the room that others leave; when they need it, each has
/// its share by its weight.
#[tokio::test]
async fn a_tenant_beyond_its_weighted_share_is_shed_and_its_neighbour_is_not() {
    let edge = Edge { shed_above: Some(SHED_ABOVE), ..Edge::default() };
    let things = Things::start(Stack::builder("shedding").concurrency(1).edges(&[edge])).await;
    let neighbour = Neighbour::of(&things).await;
    let gateway = &things.gateways[0];
    for site in [&things.site, &neighbour.site] {
        wait_long(&things, site).await;
    }
    let noisy = |count| Held::send(gateway, &things.site, &things.key, &things.upstream, count);
    let quiet =
        |count| Held::send(gateway, &neighbour.site, &neighbour.key, &neighbour.upstream, count);

    // A quarter of eight is two. The noisy tenant gets the four free places as well, and no more
    // than these.
    weigh(&things, &neighbour, 1, 3).await;
    let held = [quiet(4).await, noisy(12).await, quiet(2).await, noisy(3).await, quiet(1).await];
    assert_eq!(held.each_ref().map(Held::counts), [(4, 0), (4, 8), (2, 0), (0, 3), (0, 1)]);
    let refused = gateway.get(&things.site.hostname, THING, &things.key.text).await;
    refused.assert_problem(503);
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    drop(held);

    // With the weights the other way round, six of eight are the noisy tenant's.
    weigh(&things, &neighbour, 3, 1).await;
    let held = [quiet(4).await, noisy(12).await, quiet(1).await];
    assert_eq!(held.each_ref().map(Held::counts), [(4, 0), (6, 6), (0, 1)]);
    drop(held);

    let stats = || async {
        things.stack.envoys[0].stats("requests.refused.overloaded").await.expect("stats")
    };
    let twenty =
        |stats: &Vec<(String, u64)>| stats.iter().map(|(_, count)| count).sum::<u64>() == 20;
    eventually("the count of those that were shed", stats, twenty).await;
    finish(things.stack).await;
}

/// Lets the requests of a site take as long as they are held.
async fn wait_long(things: &Things, site: &Site) {
    let upstreams = format!("{}/upstreams", site.path);
    let listed = things.stack.api.get(&upstreams).await.expect("a list");
    let upstream = format!("{upstreams}/{}", id(&listed["items"][0]));
    things
        .stack
        .api
        .patch(&upstream, json!({ "request_timeout_ms": REQUEST_TIMEOUT_MS }))
        .await
        .expect("a time-out");
    caught_up(&things.stack).await;
}

/// Waits until Envoy has nothing under way.
async fn idle(things: &Things) {
    let active = || async {
        things.stack.envoys[0].stat("http.edge_http.downstream_rq_active").await.expect("stats")
    };
    eventually("the end of all requests", active, |active| *active == Some(0)).await;
}

/// Gives both tenants a weight, and waits until Envoy knows it, with nothing under way before and
/// after. A limit in the same settings, which is never reached, shows that they are known.
async fn weigh(things: &Things, neighbour: &Neighbour, noisy: u16, quiet: u16) {
    let gateway = &things.gateways[0];
    idle(things).await;
    let all = [
        (&things.tenant, &things.site, &things.key, noisy),
        (&neighbour.tenant, &neighbour.site, &neighbour.key, quiet),
    ];
    for (tenant, site, key, weight) in all {
        let limit =
            json!({ "name": format!("weight-{weight}"), "requests": 1_000_000, "per": "hour" });
        tenant.set(json!({ "weight": weight, "limits": [limit] })).await;
        let ask = || gateway.get(&site.hostname, THING, &key.text);
        let policy = format!(r#""weight-{weight}";"#);
        let known = |answer: &Answer| {
            answer.header("ratelimit-policy").is_some_and(|field| field.starts_with(&policy))
        };
        eventually("the weight", ask, known).await;
    }
    idle(things).await;
}
