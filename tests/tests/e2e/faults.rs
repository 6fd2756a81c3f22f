//! Failing VMs of the filter: a module that is built for it traps on certain requests and messages
//! of the mirror.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::json;
use stack::build::FAULTY_MODULE;
use stack::{Stack, testing::Builder};
use tenantry_tests::{THING, Things, eventually, finish, settled};
use tokio::task::JoinHandle;

/// Connections of each kind of load, so that both workers have some.
const CONNECTIONS: usize = 3;
/// The least number of requests of each kind.
const ENOUGH: u64 = 100;

/// The module with faults on demand.
fn module() -> PathBuf {
    std::env::var_os(FAULTY_MODULE)
        .map(PathBuf::from)
        .expect("`cargo xtask test` builds the module with faults")
}

fn builder(name: &str) -> Builder {
    Stack::builder(name).module(module()).concurrency(2)
}

/// A client with one connection, which goes to one worker.
fn client() -> Client {
    Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(1)
        .timeout(Duration::from_secs(10))
        .build()
        .expect("a client")
}

/// The status of a request of one tenant; 0 if there was no answer.
async fn ask(client: &Client, to: &Target, who: &str, key: &str, fault: &str) -> u16 {
    let mut request = client.get(&to.url).header("host", &to.host).header("x-who", who);
    for (name, value) in [("x-api-key", key), ("x-fault", fault)] {
        if !value.is_empty() {
            request = request.header(name, value);
        }
    }
    request.send().await.map_or(0, |answer| answer.status().as_u16())
}

#[derive(Clone)]
struct Target {
    url: String,
    host: String,
}

/// Requests of one kind that go on until told to stop.
struct Traffic {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
    served: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
}

impl Traffic {
    fn start(to: &Target, who: &'static str, key: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (served, refused) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let tasks = (0..CONNECTIONS).map(|_| {
            let (stop, served, refused) =
                (Arc::clone(&stop), Arc::clone(&served), Arc::clone(&refused));
            let (to, key) = (to.clone(), key.to_owned());
            tokio::spawn(async move {
                let client = client();
                while !stop.load(Ordering::Relaxed) {
                    let status = ask(&client, &to, who, &key, "").await;
                    let counter = if (200..300).contains(&status) { &served } else { &refused };
                    counter.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            })
        });
        let tasks = tasks.collect();
        Self { stop, tasks, served, refused }
    }

    /// The numbers of requests that were served, and that were not.
    async fn stop(self) -> (u64, u64) {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.expect("the traffic ends well");
        }
        (self.served.load(Ordering::Relaxed), self.refused.load(Ordering::Relaxed))
    }
}

/// Waits until good requests are served on many new connections at once; returns the time that it
/// took.
async fn recovery(to: &Target, key: &str) -> Duration {
    let start = Instant::now();
    let round = || async {
        let clients: Vec<_> = (0..8).map(|_| client()).collect();
        futures::future::join_all(clients.iter().map(|client| ask(client, to, "good", key, "")))
            .await
    };
    eventually("good requests", round, |statuses| statuses.iter().all(|status| *status == 200))
        .await;
    start.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vm_that_fails_lets_nobody_in_and_is_soon_replaced() {
    let mut things = Things::start(builder("faults")).await;
    let url = format!("http://{}{THING}", things.gateways[0].address());
    let to = Target { url, host: things.site.hostname.clone() };
    let good = Traffic::start(&to, "good", &things.key.text);
    let bad = Traffic::start(&to, "bad", "tk_live_this-key-was-never-made");
    let none = Traffic::start(&to, "none", "");
    for fault in ["panic", "grow", "loop"] {
        for round in 0..3 {
            things.upstream.clear();
            let marked: Vec<_> = (0..4).map(|_| client()).collect();
            let keys = [things.key.text.as_str(), ""];
            let marked = marked
                .iter()
                .zip(keys.iter().cycle())
                .map(|(client, key)| ask(client, &to, "marked", key, fault));
            let statuses = futures::future::join_all(marked).await;
            assert!(!statuses.contains(&200), "{fault}: {statuses:?}");
            let took = recovery(&to, &things.key.text).await;
            println!("faults: {fault} {round}: answered {statuses:?}, served again after {took:?}");
            let received = things.upstream.received();
            assert!(!received.is_empty());
            let stranger =
                received.iter().find(|received| received.header("x-who") != Some("good"));
            assert_eq!(stranger, None, "{fault}: let through without a key");
        }
    }
    let enough = || async {
        [&good.served, &bad.refused, &none.refused].map(|count| count.load(Ordering::Relaxed))
    };
    eventually("enough requests of each kind", enough, |counts| {
        counts.iter().all(|count| *count > ENOUGH)
    })
    .await;
    let ((served, lost), (bad_served, bad_refused), (none_served, none_refused)) =
        (good.stop().await, bad.stop().await, none.stop().await);
    println!(
        "faults: good {served} served, {lost} not; bad {bad_refused} and {none_refused} refused"
    );
    assert_eq!((bad_served, none_served), (0, 0));
    let reloads = things.stack.envoys[0].stats("vm_reload_success").await.expect("stats");
    assert!(
        reloads.iter().map(|(_, count)| count).sum::<u64>() > 0,
        "no VM was replaced: {reloads:?}"
    );
    things.stack.allow_in_envoy_log("[wasm]");
    finish(things.stack).await;
}

/// Each VM reports its own numbers, and a gauge of Envoy outlives them: the part of a VM that traps
/// must leave the sums.
#[tokio::test]
async fn the_gauges_are_those_of_the_vms_that_live() {
    let mut things = Things::start(builder("gauges")).await;
    let url = format!("http://{}{THING}", things.gateways[0].address());
    let to = Target { url, host: things.site.hostname.clone() };
    for _ in 0..3 {
        // Each of the two workers has decoded the site by now, and has usage to report.
        recovery(&to, &things.key.text).await;
        let marked: Vec<_> = (0..8).map(|_| client()).collect();
        let marked =
            marked.iter().map(|client| ask(client, &to, "marked", &things.key.text, "panic"));
        assert!(!futures::future::join_all(marked).await.contains(&200));
        tokio::time::sleep(Duration::from_millis(1_100)).await;
    }
    recovery(&to, &things.key.text).await;
    let envoy = &things.stack.envoys[0];
    let reloads = envoy.stats("vm_reload_success").await.expect("stats");
    let reloads: u64 = reloads.iter().map(|(_, count)| count).sum();
    assert!(reloads >= 2, "{reloads} VMs were replaced");
    let gauges = || async {
        let stats = envoy.stats("tenantry.").await.expect("stats");
        let gauge = |name: &str| {
            stats.iter().find(|(stat, _)| stat.ends_with(name)).map(|(_, value)| *value)
        };
        (gauge("tenantry.decoded.sites"), gauge("tenantry.usage.pending_requests"))
    };
    // One or both workers have the site, and all that the living VMs have counted is reported.
    let right = |gauges: &(Option<u64>, Option<u64>)| matches!(gauges, (Some(1..=2), Some(0)));
    let gauges = eventually("the gauges", gauges, right).await;
    println!("faults: {gauges:?} sites and pending requests after {reloads} VMs were replaced");
    things.stack.allow_in_envoy_log("[wasm]");
    finish(things.stack).await;
}

#[tokio::test]
async fn a_worker_takes_over_from_a_mirror_that_fails() {
    let mut things = Things::start(builder("mirror-fault")).await;
    let revoked = things.site.key("revoked").await;
    things.settled(THING, &revoked, 200).await;
    let log = things.stack.envoys[0].service.launch.log.clone();
    let says = |text: &'static str| {
        let log = log.clone();
        move || {
            let log = std::fs::read_to_string(&log).unwrap_or_default();
            async move { log.contains(text) }
        }
    };
    let trap = things.tenant.site_with(json!({ "name": "trap", "slug": "trap" })).await;
    eventually("the fault", says("injected fault: a resource asked for it"), |said| *said).await;
    things.stack.api.delete(&revoked.path).await.expect("a revocation");
    let start = Instant::now();
    things.settled(THING, &revoked, 403).await;
    println!(
        "faults: the mirror was replaced, and a revocation is known, {:?} after the fault",
        start.elapsed()
    );
    assert!(says("this worker takes over")().await);
    assert_eq!(things.get(THING).await.status, 200, "the others go on");
    // The VM that took over goes on, and has the message that made the first one fail.
    trap.serve_things(things.upstream.addr).await;
    let key = trap.key("app").await;
    settled(&things.gateways, &trap.hostname, THING, &key.text, 200).await;

    // No other VM meets a resource again that two have trapped on; all that comes after it arrives.
    let last = things.site.key("last").await;
    things.settled(THING, &last, 200).await;
    let poison = things.tenant.site_with(json!({ "name": "poison", "slug": "poison" })).await;
    poison.serve_things(things.upstream.addr).await;
    let poisoned = poison.key("app").await;
    things.stack.api.delete(&last.path).await.expect("a revocation");
    things.settled(THING, &last, 403).await;
    things.settled(THING, &things.key, 200).await;
    let refused = things.gateways[0].get(&poison.hostname, THING, &poisoned.text).await;
    assert_eq!(refused.status, 404, "its host is unknown");
    things.stack.allow_in_envoy_log("[wasm]");
    finish(things.stack).await;
}
