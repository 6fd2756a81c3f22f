//! The task that resolves the names of upstreams, with a resolver that the test controls.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use policy::address::AddressRules;
use policy::cell::CellName;
use policy::desired::{DesiredEndpoint, DesiredSite, DesiredUpstream, UpstreamProtocol};
use policy::id::{SiteId, TenantId, UpstreamId, Uuid};
use service::jobs::{JobSpec, Jobs};
use xds_server::cells::{Cells, Group};
use xds_server::dns::{Book, Resolve, Saver, Worker};
use xds_server::resource::ResourceType;
use xds_server::snapshot::Owner;
use xds_server::translate;

/// The time that a step may take which should happen soon. An address is looked up again after ten
/// seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// A resolver that knows these names. Names that begin with `slow` never get an answer.
#[derive(Default)]
struct Zone {
    names: Mutex<BTreeMap<String, Vec<IpAddr>>>,
    asked: AtomicUsize,
    slow: AtomicUsize,
}

impl Zone {
    fn set(&self, name: &str, addresses: &[&str]) {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        self.names.lock().unwrap().insert(name.to_owned(), addresses);
    }
}

impl Resolve for Zone {
    fn resolve(&self, name: Arc<str>) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if name.starts_with("slow") {
            self.slow.fetch_add(1, Ordering::Relaxed);
            return Box::pin(std::future::pending());
        }
        let found = self.names.lock().unwrap().get(&*name).cloned();
        Box::pin(async move { found.ok_or_else(|| io::Error::other("no such name")) })
    }
}

struct Running {
    book: Arc<Book>,
    cells: Arc<Cells>,
    zone: Arc<Zone>,
    _jobs: Jobs,
}

fn start() -> Running {
    let (book, cells, zone) = (
        Arc::new(Book::new(AddressRules::default())),
        Arc::new(Cells::default()),
        Arc::<Zone>::default(),
    );
    let jobs = Jobs::new(service::ambient::now, || 0.5);
    let worker = Worker::new(
        Arc::clone(&book),
        Arc::clone(&cells),
        Arc::<Zone>::clone(&zone),
        Arc::<Saver>::default(),
    );
    jobs.spawn_once(JobSpec::new("dns_worker"), |job| worker.run(job));
    Running { book, cells, zone, _jobs: jobs }
}

impl Running {
    /// Publishes a site with one upstream of these names.
    fn publish(&self, tenant: u128, number: u128, names: &[String]) {
        let endpoint =
            |name: &String| DesiredEndpoint { address: name.clone(), port: 80, weight: 1 };
        let mut site = DesiredSite {
            tenant: TenantId(Uuid::from_u128(tenant)),
            tenant_settings: Default::default(),
            site: SiteId(Uuid::from_u128(number)),
            settings: Default::default(),
            hostnames: Vec::new(),
            forward_credentials: false,
            eager: false,
            issuers: Vec::new(),
            plans: Vec::new(),
            apis: BTreeMap::new(),
            upstreams: vec![DesiredUpstream {
                id: UpstreamId(Uuid::from_u128(number)),
                endpoints: names.iter().map(endpoint).collect(),
                protocol: UpstreamProtocol::Http1,
                connect_timeout_ms: 1000,
                request_timeout_ms: 1000,
            }],
            routes: Vec::new(),
        };
        let mut book = self.book.hold();
        book.join(&mut site);
        let resources = translate::site(&site).expect("a good site");
        let cells = Arc::new(BTreeSet::from([CellName::default()]));
        self.cells.apply(vec![Group::same(Owner::Site(site.site), cells, resources)]);
    }

    /// The pushed endpoints of a site, as bytes.
    fn pushed(&self, number: u128) -> String {
        let id = Uuid::from_u128(number);
        let name = format!("site/{id}/{id}");
        let resource = self
            .cells
            .get(Owner::Site(SiteId(id)), ResourceType::Endpoints, &name)
            .expect("a resource");
        String::from_utf8_lossy(&resource.body.value).into_owned()
    }

    async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let start = Instant::now();
        while !holds() {
            assert!(start.elapsed() < PATIENCE, "still not so after {PATIENCE:?}: {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test]
async fn a_name_that_leads_to_a_metadata_service_after_a_while_leads_nowhere() {
    let running = start();
    running.zone.set("rebinding.example.com", &["8.8.8.8"]);
    running.publish(1, 1, &["rebinding.example.com".to_owned()]);
    running.until("the good address is pushed", || running.pushed(1).contains("8.8.8.8")).await;
    running.zone.set("rebinding.example.com", &["169.254.169.254", "127.0.0.1", "fd00:ec2::254"]);
    running.until("the good address is gone", || !running.pushed(1).contains("8.8.8.8")).await;
    for address in ["169.254", "127.0", "fd00"] {
        assert!(!running.pushed(1).contains(address), "{address}");
    }
}

#[tokio::test]
async fn names_of_one_tenant_that_have_no_answer_hold_up_no_other() {
    let running = start();
    for number in 0..20 {
        let slow: Vec<_> =
            (0..64).map(|endpoint| format!("slow-{number}-{endpoint}.example.com")).collect();
        running.publish(1, 100 + number, &slow);
    }
    running.until("they are asked for", || running.zone.slow.load(Ordering::Relaxed) > 0).await;
    running.zone.set("good.example.com", &["8.8.8.8"]);
    running.publish(2, 2, &["good.example.com".to_owned()]);
    running.until("another tenant's is pushed", || running.pushed(2).contains("8.8.8.8")).await;
    assert_eq!(running.zone.slow.load(Ordering::Relaxed), 2, "two at a time for one tenant");
}

#[tokio::test]
async fn a_name_without_an_answer_is_asked_for_again() {
    let running = start();
    running.publish(1, 1, &["late.example.com".to_owned()]);
    running.until("it is asked for", || running.zone.asked.load(Ordering::Relaxed) > 0).await;
    running.zone.set("late.example.com", &["8.8.8.8"]);
    running.until("its address is pushed", || running.pushed(1).contains("8.8.8.8")).await;
}
