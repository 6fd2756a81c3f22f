//! The memory of one worker VM between requests: the core's [`State`] as the VM has it.

use std::net::IpAddr;
use std::rc::Rc;

use policy::concurrency::{Entrance, Gate};
use policy::consumer::Consumer;
use policy::decision::Mode;
use policy::id::{ConsumerId, SiteId, TenantId};
use policy::ip::parse_client;
use policy::jwt::{
    self, ENVOY_FUNCTION, Operation, TokenCache, Verified, check_here, envoy_agrees,
};
use policy::key::{Digest, KeyRecord};
use policy::key_tag::Tags;
use policy::limit::{Check, Limiter, Seed, Verdict};
use policy::nonce::{self, Outcome};
use policy::site::Site;
use policy::state::{Reached, State};
use policy::usage::Aggregator;
use proxy_wasm::hostcalls;
use proxy_wasm::types::Status;

use crate::config::{ClientAddress, Config};
use crate::metrics::Metrics;
use crate::pushed::Pushed;
use crate::shared::{self, SharedCells};

/// A worker VM.
pub(crate) struct Vm {
    pub(crate) config: Config,
    pub(crate) pushed: Pushed,
    pub(crate) usage: Aggregator,
    pub(crate) metrics: Metrics,
    seed: Seed,
    limiter: Limiter,
    gate: Gate,
    /// The time of the last request or tick.
    pub(crate) now_ms: u64,
    tokens: TokenCache,
}

impl Vm {
    /// A VM that has seen nothing yet; `None` if the host has no randomness.
    pub(crate) fn new(config: Config) -> Option<Self> {
        let seed = Seed::new(shared::seed()?);
        let reporter = shared::random()?;
        Some(Self {
            pushed: Pushed::new(
                Tags::new(shared::random()?),
                u64::from_le_bytes(shared::random()?),
            ),
            usage: Aggregator::new(reporter, crate::mirror::node_property("id")),
            metrics: Metrics::new(u64::from_le_bytes(shared::random()?)),
            limiter: Limiter::new(seed),
            gate: Gate::new(seed, u64::from_le_bytes(shared::random()?), config.shed_above),
            now_ms: 0,
            tokens: TokenCache::default(),
            seed,
            config,
        })
    }

    pub(crate) fn mode(&self) -> Mode {
        self.config.mode()
    }

    /// Does the work that is due from time to time: leases that are not used go back.
    pub(crate) fn tick(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
        self.limiter.flush(now_ms, &mut SharedCells);
        self.gate.flush(now_ms, &mut SharedCells);
        self.metrics.flush(&self.pushed, &self.usage, now_ms);
    }
}

impl State for Vm {
    fn host(&mut self, authority: &[u8]) -> Option<Reached> {
        self.pushed.host(authority)
    }

    fn key(&mut self, digest: &Digest) -> Option<KeyRecord> {
        self.pushed.key(digest)
    }

    fn api_key(&mut self, text: &[u8], of: Option<SiteId>) -> Option<KeyRecord> {
        self.pushed.api_key(text, of)
    }

    fn site(&mut self, id: SiteId) -> Option<Rc<Site>> {
        self.pushed.site(id)
    }

    fn consumer(&mut self, id: ConsumerId) -> Option<Rc<Consumer>> {
        self.pushed.consumer(id)
    }

    fn client_address(&mut self, edge: Option<&[u8]>) -> Option<IpAddr> {
        match self.config.client_address {
            ClientAddress::Edge => parse_client(edge?),
            ClientAddress::Connection => {
                let address = hostcalls::get_property(vec!["source", "address"]).ok()??;
                parse_client(&address)
            }
        }
    }

    #[inline(never)]
    fn token(&mut self, site: &Site, token: &[u8], now_ms: u64) -> Option<Rc<Verified>> {
        if let Some(known) = self.tokens.get(site.id, site.version, token, now_ms) {
            return Some(known);
        }
        let verified = Rc::new(jwt::verify(&site.issuers, token, now_ms, check).ok()?);
        self.tokens.insert(site.id, site.version, token, Rc::clone(&verified));
        Some(verified)
    }

    fn fresh(
        &mut self,
        site: SiteId,
        keyid: &str,
        nonce: &str,
        until_ms: u64,
        now_ms: u64,
    ) -> bool {
        nonce::accept(&mut SharedCells, site, keyid, nonce, until_ms, now_ms) == Outcome::Accepted
    }

    fn seed(&self) -> &Seed {
        &self.seed
    }

    fn admit<'c>(&mut self, checks: &[Check<'c>], now_ms: u64) -> Verdict<'c> {
        self.limiter.admit(checks, now_ms, &mut SharedCells)
    }

    fn enter(&mut self, tenant: TenantId, max: Option<u32>, weight: u16, now_ms: u64) -> Entrance {
        self.gate.enter(tenant, max, weight, now_ms, &mut SharedCells)
    }

    fn leave(&mut self, tenant: TenantId, now_ms: u64) {
        self.gate.leave(tenant, now_ms, &mut SharedCells);
    }
}

/// Checks a signature under a public key. Envoy computes it natively if it can: a flood of tokens
/// with wrong signatures then costs a fraction of the same work in here.
fn check(operation: &Operation<'_>) -> bool {
    let Some(arguments) = operation.for_envoy() else { return check_here(operation) };
    match hostcalls::call_foreign_function(ENVOY_FUNCTION, Some(&arguments)) {
        Ok(answer) => answer.is_some_and(|answer| envoy_agrees(&answer)),
        // A host that does not know the function.
        Err(Status::NotFound) => check_here(operation),
        Err(_) => false,
    }
}
