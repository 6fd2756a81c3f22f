//! The input of the variants: deployments, tokens, and the files of requests.

use std::path::Path;

use anyhow::Result;

use super::deployment::{Deployment, SMALL};
use super::envoys::{Place, Sent};
use super::traffic::{self, Load, Request};
use super::zipf;
use crate::bench::seed;
use crate::bench::tokens::Tokens;

/// The step between two keys of variants that use a new key in each request. Keys were dealt out to
/// the sites in turn; seven shares no factor with the number of sites, so that all of them take
/// part.
pub(super) const EVERY: usize = 7;
/// As many draws by Zipf's law are in a file of requests, unless there are fewer keys.
pub(super) const DRAWS: usize = 200_000;
/// YCSB's default.
const ZIPF_EXPONENT: f64 = 0.99;
/// The sites that get requests where Envoy routes them: each costs it clusters, connections and,
/// the first time, some milliseconds, which bare has not. Where Envoy answers itself, all sites get
/// some.
pub(super) const BUSY_SITES: usize = 200;
/// Numbers of keys as people have them in native configuration, and in the table of the Lua filter.
pub(super) const NATIVE_KEYS: usize = 1_000;
pub(super) const LUA_KEYS: usize = 100_000;
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

/// The files of requests.
pub(super) struct Requests {
    pub(super) all: Load,
    /// As many keys and sites as the smaller deployment has.
    pub(super) few: Load,
    pub(super) zipf: Load,
    pub(super) busy: Load,
    pub(super) small: Load,
    pub(super) native: Load,
    pub(super) lua: Load,
    pub(super) tokens: Load,
    /// As the filter would leave them: of the busy sites, and of as many as the smaller deployment
    /// has.
    pub(super) decided: Load,
    pub(super) decided_few: Load,
}

impl Requests {
    /// Writes a file for each.
    pub(super) fn write(inputs: &Inputs<'_>) -> Result<Requests> {
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
}
