//! The variants that are compared.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::Value;
use stack::envoy::Envoy;
use stack::wasm;

use super::deployment::{Deployment, SMALL};
use super::envoys::{Measured, Place, Sent};
use super::measure::Target;
use super::report::{BARE, BARE_WITHOUT_LOG, CALLOUTS, CALLS};
use super::traffic::{self, Load, Request};
use super::zipf;
use super::{filters, ours};
use crate::bench::seed::{self, Scale};
use crate::bench::tokens::Tokens;

/// The step between two keys of variants that use a new key in each request. Keys were dealt out to
/// the sites in turn; seven shares no factor with the number of sites, so that all of them take
/// part.
const EVERY: usize = 7;
/// As many draws by Zipf's law are in a file of requests, unless there are fewer keys.
const DRAWS: usize = 200_000;
/// YCSB's default.
const ZIPF_EXPONENT: f64 = 0.99;
/// The sites that get requests where Envoy routes them: each costs it clusters, connections and,
/// the first time, some milliseconds, which bare has not. Where Envoy answers itself, all sites get
/// some.
pub(super) const BUSY_SITES: usize = 200;
/// Numbers of keys as people have them in native configuration, and in the table of the Lua filter.
const NATIVE_KEYS: usize = 1_000;
const LUA_KEYS: usize = 100_000;
/// Tokens in use at the same time.
pub(super) const TOKENS: usize = 1_000;

pub(super) struct Inputs<'a> {
    pub(super) place: &'a Place,
    pub(super) sent: &'a Sent,
    pub(super) big: &'a Deployment,
    pub(super) small: &'a Deployment,
    pub(super) tokens: &'a Tokens,
    pub(super) module: &'a Path,
    pub(super) empty_module: &'a Path,
    pub(super) callouts: i32,
}

/// Running Envoys, and how they are measured.
#[derive(Default)]
pub(super) struct Variants {
    pub(super) targets: Vec<Target>,
    measured: Vec<Measured>,
    pub(super) ours: Vec<Envoy>,
}

impl Variants {
    pub(super) async fn stop(mut self) -> Result<()> {
        for measured in &mut self.measured {
            measured.service.stop().await?;
        }
        for envoy in &mut self.ours {
            envoy.service.stop().await?;
        }
        Ok(())
    }

    /// An Envoy with these filters, and the targets that share it.
    async fn add(
        &mut self,
        inputs: &Inputs<'_>,
        concurrency: u32,
        variant: Variant<'_>,
    ) -> Result<()> {
        let sent = variant.sent.unwrap_or(inputs.sent);
        let measured =
            inputs.place.start_static(sent, variant.id, &variant.filters, concurrency).await?;
        self.targets.push(Target {
            id: variant.id,
            title: variant.title.to_owned(),
            envoy: measured.pid()?,
            others: variant.others,
            direct: variant.direct.then(|| (measured.direct, variant.requests.clone())),
            upstream: Some((measured.routed, variant.requests)),
            remembers: false,
        });
        self.measured.push(measured);
        Ok(())
    }
}

/// A variant that needs no control plane.
struct Variant<'a> {
    id: &'static str,
    title: &'a str,
    filters: Vec<Value>,
    requests: Load,
    others: Vec<i32>,
    direct: bool,
    /// Another listener than the usual one.
    sent: Option<&'a Sent>,
}

impl Variant<'_> {
    fn new<'a>(
        id: &'static str,
        title: &'a str,
        filters: Vec<Value>,
        requests: &Load,
    ) -> Variant<'a> {
        Variant {
            id,
            title,
            filters,
            requests: requests.clone(),
            others: Vec::new(),
            direct: true,
            sent: None,
        }
    }
}

/// The files of requests.
pub(super) struct Requests {
    pub(super) all: Load,
    /// As many keys and sites as the smaller deployment has.
    pub(super) few: Load,
    pub(super) zipf: Load,
    pub(super) busy: Load,
    pub(super) small: Load,
    native: Load,
    lua: Load,
    pub(super) tokens: Load,
    /// As the filter would leave them: of the busy sites, and of as many as the smaller deployment
    /// has.
    pub(super) decided: Load,
    pub(super) decided_few: Load,
}

/// Starts all variants with so many workers each.
pub(super) async fn start(inputs: &Inputs<'_>, concurrency: u32) -> Result<Variants> {
    let requests = write_requests(inputs)?;
    let mut variants = Variants::default();
    let quiet = inputs.sent.without_access_log();
    let bare = Variant::new(BARE, "bare: connection manager and router", Vec::new(), &requests.all);
    let without_log =
        Variant::new(BARE_WITHOUT_LOG, "bare, without an access log", Vec::new(), &requests.all);
    variants.add(inputs, concurrency, bare).await?;
    variants.add(inputs, concurrency, Variant { sent: Some(&quiet), ..without_log }).await?;
    for (id, title, module) in empty_modules(inputs)? {
        let filters = vec![inputs.sent.wasm(id, &module)];
        variants.add(inputs, concurrency, Variant::new(id, title, filters, &requests.all)).await?;
    }
    ours::add_all(&mut variants, inputs, &requests, &quiet, concurrency).await?;
    let native = filters::native_keys(inputs.big.keys.iter().take(NATIVE_KEYS));
    let title = "native api_key_auth, local_ratelimit; 1,000 keys";
    variants
        .add(inputs, concurrency, Variant::new("native_keys", title, native, &requests.native))
        .await?;
    let jwt = filters::native_tokens(inputs.tokens);
    let title = "native jwt_authn, tokens cached";
    variants
        .add(inputs, concurrency, Variant::new("native_jwt", title, jwt, &requests.tokens))
        .await?;
    let lua = filters::lua(&lua_table(inputs)?)?;
    let title = "Lua: 100,000 keys, a bucket, two headers";
    variants.add(inputs, concurrency, Variant::new("lua", title, lua, &requests.lua)).await?;
    let others = vec![inputs.callouts];
    let check =
        Variant::new("ext_authz", "ext_authz over gRPC", vec![filters::ext_authz()], &requests.all);
    variants.add(inputs, concurrency, Variant { others: others.clone(), ..check }).await?;
    // On a route that Envoy answers itself, the ratelimit filter calls nobody.
    let both = vec![filters::ext_authz(), filters::ratelimit()];
    let both = Variant::new(CALLOUTS, "ext_authz and ratelimit over gRPC", both, &requests.all);
    variants.add(inputs, concurrency, Variant { others, direct: false, ..both }).await?;
    Ok(variants)
}

/// A filter that does nothing: written by hand, and with the SDK; and one that only asks Envoy for
/// what ours does.
fn empty_modules(inputs: &Inputs<'_>) -> Result<[(&'static str, &'static str, PathBuf); 4]> {
    let path = |name: &str| inputs.place.folder.join(name);
    let compiled = fs::read(inputs.empty_module)?;
    let (raw, stripped, calls) =
        (path("empty-raw.wasm"), path("empty-stripped.wasm"), path("calls.wasm"));
    fs::write(&raw, wat::parse_str(include_str!("empty.wat"))?)?;
    fs::write(&calls, wat::parse_str(include_str!("calls.wat"))?)?;
    fs::write(&stripped, wasm::finish(&compiled, wasm::Steps::default())?)?;
    Ok([
        ("empty_raw", "empty wasm filter, written by hand", raw),
        ("empty_sdk", "empty wasm filter of the SDK", inputs.empty_module.to_owned()),
        ("empty_finished", "empty wasm filter of the SDK, finished as ours is", stripped),
        (CALLS, "our calls of Envoy, and nothing else", calls),
    ])
}

fn write_requests(inputs: &Inputs<'_>) -> Result<Requests> {
    let write = |name: &str, requests: &mut dyn Iterator<Item = Request>| {
        traffic::write(&inputs.place.folder.join(format!("{name}.requests")), requests)
    };
    let (all, small, scale) = (&inputs.big.keys, &inputs.small.keys, inputs.big.scale);
    let of = Request::with_key;
    let few = all.iter().filter(|key| key.site < SMALL.sites).take(SMALL.keys);
    let drawn = zipf::draws(all.len(), ZIPF_EXPONENT, DRAWS.min(all.len()));
    let tokens = inputs.tokens.tokens.iter().enumerate();
    Ok(Requests {
        all: write("all", &mut all.iter().step_by(EVERY).map(of))?,
        few: write("few", &mut few.map(of))?,
        zipf: write("zipf", &mut drawn.into_iter().filter_map(|key| all.get(key)).map(of))?,
        busy: write("busy", &mut all.iter().filter(|key| key.site < BUSY_SITES).map(of))?,
        small: write("small", &mut small.iter().map(of))?,
        native: write("native", &mut all.iter().take(NATIVE_KEYS).map(of))?,
        lua: write("lua", &mut all.iter().take(LUA_KEYS).map(of))?,
        decided: write("decided", &mut (0..BUSY_SITES.min(scale.sites)).map(Request::decided))?,
        decided_few: write("decided-few", &mut (0..SMALL.sites).map(Request::decided))?,
        tokens: write(
            "tokens",
            &mut tokens.map(|(number, token)| {
                Request::with_token(seed::site_of_subject(number, scale), token)
            }),
        )?,
    })
}

fn lua_table(inputs: &Inputs<'_>) -> Result<PathBuf> {
    let file = inputs.place.folder.join("lua-keys.txt");
    let lines = inputs.big.keys.iter().take(LUA_KEYS).enumerate();
    let lines: String =
        lines.map(|(number, key)| format!("{} consumer-{number}\n", key.key)).collect();
    fs::write(&file, lines)?;
    Ok(file)
}

/// Returns notes that explain the figures.
pub(super) fn notes(scale: Scale) -> Vec<String> {
    let Scale { sites, keys } = scale;
    vec![
        "CPU time is Envoy's, with that of the call-out server, or of xds-server and PostgreSQL, \
         which are also shown as `others`; the upstream's and wrk's are in no sum. Medians over \
         the rounds, and half of the spread."
            .to_owned(),
        format!(
            "Ours at full size is compared with the small one with as many keys and sites in use, \
             {} and {}: what loading the {keys} costs. By Zipf's law they are {} draws from all \
             keys of all {sites} sites, of which the most popular are anywhere. The worst case is \
             every {EVERY}th key in turn, so that nothing is used again before {} others were. \
             Everything ours may remember was sent once before the rounds began.",
            SMALL.keys,
            SMALL.sites,
            DRAWS.min(keys),
            keys / EVERY
        ),
        "Where an upstream answers, ours routes by SRDS to a cluster for each site, and bare by \
         one route to one cluster."
            .to_owned(),
        "Tokens go to 200 sites, and are longer than keys by some hundred bytes, of which the bare \
         variant knows nothing."
            .to_owned(),
        "All listeners have the settings and the access log that xds-server sends.".to_owned(),
    ]
}
