//! Envoy accepts everything that translation lets through: its own validation says so of the golden
//! files, and of sites into which a search puts every kind of value that a database can hold.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use policy::cell::CellName;
use policy::desired::{DesiredEndpoint, DesiredSite, UpstreamProtocol};
use policy::id::UpstreamId;
use policy::settings::{KeySource, RateLimitHeaders};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use service::jobs::{JobSpec, Jobs};
use tokio::sync::mpsc;
use xds_server::cells::{Cells, Group};
use xds_server::resource::Named;
use xds_server::snapshot::Owner;
use xds_server::translate;
use xds_server::validate::{Envoy, Pool, ValidateError, Verdict};

use crate::fixture::{self, site_id};
use crate::input::{self, Input};

/// The number of sites that the search makes, and the number of sites in one run of Envoy: a run
/// costs some hundred milliseconds, whatever is in it.
const SITES: u128 = 3_000;
const AT_ONCE: usize = 150;

fn envoy() -> Envoy {
    Envoy::new(std::env::var_os("ENVOY_BIN").map_or("envoy".into(), PathBuf::from))
}

async fn validate(resources: &[Named]) -> Result<(), ValidateError> {
    envoy().validate(resources.iter().map(|named| (named.kind, &*named.resource))).await
}

#[tokio::test]
async fn every_golden_output_passes_envoys_own_validation() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let cases = std::fs::read_dir(folder).expect("the folder of the golden files");
    let cases = cases.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir());
    let dir = tempfile::tempdir().expect("a directory");
    let module = dir.path().join("filter.wasm");
    std::fs::write(&module, wat::parse_str(crate::gateway::EMPTY_FILTER).expect("a module"))
        .expect("a file");
    let mut passed = 0;
    for case in cases {
        let resources = match input::read(&case.join("input.json")) {
            Input::Site(site) => translate::site(&site.desired()).unwrap_or_default(),
            Input::NoSuchSite { name } => vec![translate::no_such_site(&name)],
            Input::Edge(edge) => {
                // The file of the module has to exist.
                let mut edge = edge.settings();
                edge.filter_path = module.to_string_lossy().into_owned();
                vec![translate::listener(&edge), translate::extension_config(&edge)]
            }
            Input::Bucket(_) | Input::Consumers(_) | Input::Platform { .. } => continue,
        };
        if let Err(error) = validate(&resources).await {
            panic!("{}: {error}", case.display());
        }
        passed += usize::from(!resources.is_empty());
    }
    assert!(passed > 10, "only {passed} golden files were looked at");
}

/// A validation that accepts everything would prove nothing.
#[tokio::test]
async fn envoys_own_validation_finds_what_it_would_refuse() {
    for what in ["rds", "cds", "eds"] {
        let mut resources = translate::site(&fixture::site(1, 80, [1])).expect("a good site");
        cut(&mut resources, what);
        match validate(&resources).await {
            Err(ValidateError::Refused { reason }) => assert!(!reason.is_empty(), "{what}"),
            other => panic!("{what}: {other:?}"),
        }
    }
}

/// Replaces a resource by one that Envoy refuses: the bytes of a message with nothing in it.
fn cut(resources: &mut [Named], kind: &str) {
    let named = resources.iter_mut().find(|named| named.kind.label() == kind).expect("a resource");
    let bytes = match kind {
        // The virtual host has a name and no domains; Envoy's validation rules want one.
        "rds" => vec![0x12, 0x03, 0x0a, 0x01, b'v'],
        // The name is empty.
        "cds" => Vec::new(),
        // The locality has an endpoint without an address.
        _ => vec![0x12, 0x04, 0x12, 0x02, 0x0a, 0x00],
    };
    named.resource = xds_server::resource::Resource::new(named.kind, bytes);
}

#[tokio::test]
async fn of_many_sites_the_pool_finds_the_one_that_envoy_refuses() {
    let (cells, pool) = (Arc::new(Cells::default()), Arc::<Pool>::default());
    let placement = Arc::new(BTreeSet::from([CellName::default()]));
    let (bad, sites) = (42, 100);
    for number in 1..=sites {
        let site = fixture::site(number, 80, [1]);
        let mut resources = translate::site(&site).expect("a good site");
        if number == bad {
            cut(&mut resources, "cds");
        }
        cells.apply(vec![Group::same(Owner::Site(site.site), Arc::clone(&placement), resources)]);
        pool.want(site.tenant, site.site);
    }
    let jobs = Jobs::new(service::ambient::now, || 0.5);
    let (found, mut verdicts) = mpsc::channel(8);
    let (looking, looked_at) = (Arc::clone(&pool), Arc::clone(&cells));
    jobs.spawn_once(JobSpec::new("validation"), move |job| {
        let take = move |verdict: &Verdict| found.try_send(verdict.clone()).expect("room");
        looking.run(envoy(), looked_at, 2.try_into().expect("not zero"), take, job)
    });
    let verdict = verdicts.recv().await.expect("a verdict");
    assert_eq!(
        (verdict.site, verdict.group),
        (site_id(bad), cells.group(Owner::Site(site_id(bad))))
    );
    assert!(verdict.reason.starts_with("Envoy refuses it: "), "{}", verdict.reason);
    // Envoys have looked at another bad site after all others, and refused no other.
    let last = fixture::site(sites + 1, 80, [1]);
    let mut resources = translate::site(&last).expect("a good site");
    cut(&mut resources, "rds");
    cells.apply(vec![Group::same(Owner::Site(last.site), placement, resources)]);
    pool.want(last.tenant, last.site);
    assert_eq!(verdicts.recv().await.expect("a verdict").site, last.site);
}

#[tokio::test]
async fn an_envoy_that_cannot_be_run_says_nothing_of_resources() {
    assert!(envoy().check().await.is_ok());
    for program in ["/nonexistent", "false"] {
        let outcome = Envoy::new(program).check().await;
        assert!(matches!(outcome, Err(ValidateError::Run(_))), "{program}: {outcome:?}");
    }
}

#[tokio::test]
async fn whatever_translation_lets_through_envoy_takes() {
    let mut random = StdRng::seed_from_u64(1);
    let mut taken = Vec::new();
    let mut refused = 0;
    for number in 1..=SITES {
        let site = mutated(number, &mut random);
        match translate::site(&site) {
            Ok(resources) => taken.push((site, resources)),
            Err(_) => refused += 1,
        }
    }
    assert!(
        taken.len() > 500 && refused > 500,
        "{} were let through, {refused} refused",
        taken.len()
    );
    let mut failures = Vec::new();
    for batch in taken.chunks(AT_ONCE) {
        let all: Vec<_> = batch.iter().flat_map(|(_, resources)| resources.clone()).collect();
        if validate(&all).await.is_ok() {
            continue;
        }
        for (site, resources) in batch {
            if let Err(error) = validate(resources).await {
                failures.push(format!("{error}\n  of {site:?}"));
            }
        }
        if failures.len() >= 10 {
            break;
        }
    }
    assert!(failures.is_empty(), "translation has to refuse these:\n{}", failures.join("\n"));
}

/// A site with some of the hostile values, each where it fits.
fn mutated(number: u128, random: &mut StdRng) -> DesiredSite {
    let mut site = fixture::site(number, 80, [1, 2, 3]);
    site.site = site_id(number);
    for _ in 0..random.random_range(1..=2) {
        match random.random_range(0..9) {
            0 => site.settings.key_sources = vec![KeySource::Header { name: text(random) }],
            1 => {
                site.settings.key_sources = (0..random.random_range(0..4))
                    .map(|_| KeySource::Header { name: text(random) })
                    .collect();
            }
            2 => {
                site.upstreams[0].endpoints =
                    (0..random.random_range(0..4)).map(|_| endpoint(random)).collect()
            }
            3 => {
                site.upstreams[0].endpoints =
                    vec![DesiredEndpoint { address: text(random), port: 80, weight: 1 }]
            }
            4 => site.upstreams[0].connect_timeout_ms = number_of(random),
            5 => site.upstreams[0].request_timeout_ms = number_of(random),
            6 => site.upstreams[0].protocol = UpstreamProtocol::Http2,
            7 => {
                site.routes[0].prefix = prefix(random);
                site.routes[0].template = text(random);
            }
            _ => {
                site.settings.rate_limit_headers =
                    *[RateLimitHeaders::All, RateLimitHeaders::Refused]
                        .choose(random)
                        .expect("one");
                site.forward_credentials = random.random();
                site.hostnames.push(text(random));
                // No route leads to this upstream, which has a name of its own.
                let mut other = site.upstreams[0].clone();
                other.id = UpstreamId(policy::id::Uuid::from_u128(random.random()));
                site.upstreams.push(other);
                site.routes.truncate(random.random_range(1..4));
            }
        }
    }
    site
}

fn endpoint(random: &mut StdRng) -> DesiredEndpoint {
    let port = *[0, 1, 80, u16::MAX].choose(random).expect("one");
    const ADDRESSES: [&str; 6] =
        ["8.8.8.8", "0.0.0.0", "255.255.255.255", "2a00::1", "::", "ff02::1"];
    let address = if random.random() {
        text(random)
    } else {
        (*ADDRESSES.choose(random).expect("one")).to_owned()
    };
    DesiredEndpoint { address, port, weight: number_of(random) }
}

fn number_of(random: &mut StdRng) -> u32 {
    *[0, 1, 1000, 64_000, i32::MAX as u32, i32::MAX as u32 + 1, u32::MAX]
        .choose(random)
        .expect("one")
}

fn prefix(random: &mut StdRng) -> String {
    match random.random_range(0..4) {
        0 => "/a".repeat(*[1, 20, 23, 24, 25, 100, 1000, 1001].choose(random).expect("one")),
        1 => format!("/{}", "a".repeat(256)),
        2 => String::new(),
        _ => text(random),
    }
}

/// Texts that a parser may take for something else.
const TEXTS: [&str; 62] = [
    "",
    " ",
    "a",
    "x-key",
    "X-API-Key",
    "host",
    "Host",
    ":path",
    ":authority",
    ":x",
    "x:y",
    "x y",
    "x\ny",
    "x\0y",
    "x\ry",
    "x\ty",
    "é",
    "\u{7f}",
    "\u{feff}",
    "x_y",
    "x-y-",
    "-",
    "%",
    "%x%",
    "%REQ(x)%",
    "%START_TIME",
    "$",
    "$x",
    "!#$%&'*+-.^`|~",
    "\"",
    "(x)",
    "x,y",
    "x;y",
    "x/y",
    "../",
    "/",
    "//",
    "[x]",
    "{x}",
    "{",
    "*",
    "1",
    "0",
    "1.2",
    "1.2.3.4",
    "8.8.8.8",
    "256.1.1.1",
    "8.8.8.8:80",
    "::",
    "::1",
    "[::1]",
    "fe80::1%eth0",
    "::ffff:8.8.8.8",
    "2a00::1",
    "0x7f.1",
    "127.1",
    "localhost",
    "a.b.",
    ".",
    "a..b",
    "connection",
    "x-envoy-original-path",
];

/// One of [`TEXTS`], or a random text.
fn text(random: &mut StdRng) -> String {
    match random.random_range(0..12) {
        0 => {
            "a".repeat(*[63, 64, 128, 253, 254, 1_000, 16_384, 70_000].choose(random).expect("one"))
        }
        1 => (0..random.random_range(1..6))
            .map(|_| char::from(random.random_range(0..=127_u8)))
            .collect(),
        2 => (0..random.random_range(1..4)).map(|_| random.random::<char>()).collect(),
        _ => (*TEXTS.choose(random).expect("one")).to_owned(),
    }
}
