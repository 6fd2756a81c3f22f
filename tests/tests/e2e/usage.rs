//! Usage: the sums count every request exactly once, whether it was answered or its client left.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use policy::id::{SiteId, TenantId, Uuid};
use policy::usage::{Aggregator, Exchange, METHOD, SERVICE, UsageAck, UsageReport, Who};
use prost::Message as _;
use reqwest::Method;
use serde_json::{Value, json};
use stack::Stack;
use stack::echo::Echo;
use tenantry_tests::{
    THING, Things, caught_up, echo, eventually, finish, gateway::Gateway, tenant::Site,
};
use tokio::task::JoinSet;
use tonic::Request;
use tonic::client::Grpc;
use tonic::codec::ProstCodec;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Endpoint;

/// Requests by key (empty if there is none) and status class.
pub(super) type Sums = BTreeMap<(String, String), u64>;

/// The requests that the limited key may send in an hour.
const BURST: usize = 12;

/// The requests of a site by the usage report of the admin API.
pub(super) async fn sums(things: &Things, site: &Site) -> Sums {
    let path = format!("/v1/tenants/{}/usage?group_by=site,key,status_class", site.tenant_id);
    let usage = things.stack.api.get(&path).await.unwrap_or_else(|error| panic!("{error}"));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let items = usage["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|item| item["site_id"] == site.id.as_str());
    items
        .map(|item| {
            (
                (text(&item["key_id"]), text(&item["status_class"])),
                item["requests"].as_u64().unwrap(),
            )
        })
        .collect()
}

/// A client with connections of its own, and its own counts.
struct Client {
    gateway: Gateway,
    host: String,
    counted: Sums,
}

impl Client {
    fn new(things: &Things, site: &Site) -> Self {
        let gateway = Gateway::new(things.gateways[0].address());
        Self { gateway, host: site.hostname.clone(), counted: Sums::new() }
    }

    /// Sends a request with a key, and counts it for the key of this id.
    async fn ask(&mut self, path: &str, key: &str, key_id: &str, status: &str) -> u16 {
        let headers = [("x-api-key", key), ("x-echo-status", status)];
        let headers = if key.is_empty() { &headers[1..] } else { &headers };
        let status = self.gateway.send(Method::GET, &self.host, path, headers).await.status;
        *self.counted.entry((key_id.to_owned(), format!("{}xx", status / 100))).or_default() += 1;
        status
    }
}

/// Sends a wave of requests from several clients at once; returns the number that were let through.
async fn wave(clients: &mut [Client], keys: &[(String, String)]) -> u64 {
    let all = clients.iter_mut().map(|client| async move {
        let mut through = 0;
        for status in ["200", "201", "204", "301", "404", "418", "500", "503"] {
            let (text, id) = &keys[0];
            assert_eq!(client.ask(THING, text, id, status).await.to_string(), status);
            let (text, id) = &keys[1];
            through += 1 + u64::from(client.ask(THING, text, id, status).await != 429);
        }
        let (text, id) = &keys[0];
        assert_eq!(client.ask("/none", text, id, "200").await, 404);
        assert_eq!(client.ask(THING, "", "", "200").await, 403);
        assert_eq!(client.ask(THING, "tk_live_made-up", "", "200").await, 403);
        through
    });
    futures::future::join_all(all).await.into_iter().sum()
}

/// Sends requests whose clients leave before the upstream has answered, as soon as it has all of
/// them.
async fn give_up(things: &Things, site: &Site, upstream: &Echo, key: &str, requests: u64) {
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let url = format!("http://{}{THING}", things.gateways[0].address());
    let before = upstream.total();
    let mut all: JoinSet<_> = (0..requests)
        .map(|_| {
            let request = http.get(&url).header("host", &site.hostname).header("x-api-key", key);
            request.header("x-echo-hold", "1").send()
        })
        .collect();
    let arrived = || std::future::ready(upstream.total() - before);
    eventually("the requests", arrived, |arrived| *arrived == requests).await;
    assert!(all.try_join_next().is_none(), "the upstream holds them");
    all.shutdown().await;
}

/// The site's first request makes Envoy load its routes and begin the request anew: it counts once,
/// too.
#[tokio::test]
async fn every_request_counts_once_though_the_xds_server_dies_and_reports_come_again() {
    let mut things = Things::start(Stack::builder("usage")).await;
    let site = things.tenant.site("counted").await;
    let upstream = echo("counted");
    site.serve_things(upstream.addr).await;
    let limits = json!({ "limits": [{ "name": "burst", "requests": BURST, "per": "hour" }] });
    let consumer = site.consumer(json!({ "name": "limited", "settings": limits })).await;
    let (free, limited) = (site.key("free").await, site.key_of(&consumer, json!({})).await);
    let keys = [(free.text.clone(), free.id.clone()), (limited.text, limited.id.clone())];
    // Waits without a request to the site.
    caught_up(&things.stack).await;

    let mut clients: Vec<_> = (0..4).map(|_| Client::new(&things, &site)).collect();
    let mut through = wave(&mut clients, &keys).await;
    give_up(&things, &site, &upstream, &free.text, 5).await;
    through += 5;
    things.stack.xds.kill().await.expect("a kill");
    through += wave(&mut clients, &keys).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    through += wave(&mut clients, &keys).await;
    things.stack.xds.start().await.expect("a start");
    through += wave(&mut clients, &keys).await;

    let mut counted = Sums::from([((free.id.clone(), "none".to_owned()), 5)]);
    for (what, requests) in clients.iter().flat_map(|client| &client.counted) {
        *counted.entry(what.clone()).or_default() += requests;
    }
    assert_eq!(upstream.total(), through);
    let refused = counted[&(limited.id.clone(), "4xx".to_owned())];
    assert!(refused >= 4 * 32 - BURST as u64, "{refused} of the limited key");
    let total = |sums: &Sums| sums.values().sum::<u64>();
    let all_there = |sums: &Sums| total(sums) >= total(&counted);
    let reported = eventually("the sums", || sums(&things, &site), all_there).await;
    assert_eq!(reported, counted);
    // Nothing comes after that either: a report later the sums are the same.
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(sums(&things, &site).await, counted);
    println!("usage: {} requests, {through} of them through: {counted:?}", total(&counted));

    for _ in 0..2 {
        send_again(&things, &site).await;
        let none = (String::new(), "2xx".to_owned());
        let with_it: Sums = counted.clone().into_iter().chain([(none, 7)]).collect();
        assert_eq!(sums(&things, &site).await, with_it);
    }
    things.stack.allow_in_envoy_log("gRPC config stream");
    things.stack.allow_in_envoy_log("the stream to cluster xds ended");
    finish(things.stack).await;
}

/// Sends a report of seven requests, the same each time.
pub(super) async fn send_again(things: &Things, site: &Site) {
    let id = |text: &str| text.parse::<Uuid>().expect("an id");
    let (tenant, site) = (TenantId(id(&site.tenant_id)), SiteId(id(&site.id)));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
    let now_ms = u64::try_from(now.as_millis()).expect("a time before the year 500,000,000");
    let mut aggregator = Aggregator::new([9; 16], "made-up".to_owned());
    let exchange = Exchange { ended_at_ms: now_ms, status: 200, ..Exchange::default() };
    for _ in 0..7 {
        aggregator.record(&Who { tenant, site, consumer: None, key: None, route: None }, &exchange);
    }
    let report = aggregator.last_report(now_ms).expect("there is usage");
    let report = UsageReport::decode(report.message).expect("a report");
    let endpoint =
        Endpoint::from_shared(format!("http://{}", things.stack.xds_addr)).expect("a URI");
    let mut client = Grpc::new(endpoint.connect().await.expect("the xDS server listens"));
    client.ready().await.expect("it is ready");
    let path = PathAndQuery::try_from(format!("/{SERVICE}/{METHOD}")).expect("a path");
    let ack: UsageAck = client
        .unary(Request::new(report), path, ProstCodec::<UsageReport, UsageAck>::default())
        .await
        .expect("an answer")
        .into_inner();
    assert_eq!(ack.seq, 1);
}
