//! What the filter tells in Envoy's stats. Counts are added up in the VM and handed over on each tick, so that they cost a request
//! nothing; no name has a tenant in it, so that their number is fixed.

use std::collections::BTreeMap;

use policy::refusal::Refusal;
use policy::usage::Aggregator;
use proxy_wasm::hostcalls;
use proxy_wasm::types::MetricType;

use crate::pushed::Pushed;

/// Metrics of one VM.
pub(crate) struct Metrics {
    let_go: u64,
    refused: BTreeMap<&'static str, u64>,
    defined: BTreeMap<String, u32>,
    /// What this VM has last put into each gauge, which all VMs share.
    gauges: BTreeMap<&'static str, i64>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        Self { let_go: 0, refused: BTreeMap::new(), defined: BTreeMap::new(), gauges: BTreeMap::new() }
    }

    /// A request was let go.
    pub(crate) fn let_go(&mut self) {
        self.let_go += 1;
    }

    /// A request was refused.
    pub(crate) fn refused(&mut self, refusal: &Refusal) {
        *self.refused.entry(refusal.reason()).or_default() += 1;
    }

    /// Hands over what was counted.
    pub(crate) fn flush(&mut self, pushed: &Pushed, usage: &Aggregator) {
        let let_go = std::mem::take(&mut self.let_go);
        self.add("tenantry.requests.let_go", let_go);
        for (reason, count) in std::mem::take(&mut self.refused) {
            self.add(&format!("tenantry.requests.refused.{reason}"), count);
        }
        let (sites, consumers) = pushed.decoded();
        let pending = usage.pending();
        self.set("tenantry.decoded.sites", sites);
        self.set("tenantry.decoded.consumers", consumers);
        self.set("tenantry.usage.pending_entries", pending.entries);
        self.set("tenantry.usage.pending_requests", usize::try_from(pending.requests).unwrap_or(usize::MAX));
    }

    fn add(&mut self, name: &str, count: u64) {
        if count > 0
            && let Some(id) = self.define(MetricType::Counter, name)
        {
            let _ = hostcalls::increment_metric(id, i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// A gauge is the sum over all VMs: each adds by how much its own part has changed.
    fn set(&mut self, name: &'static str, value: usize) {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        let change = value - self.gauges.insert(name, value).unwrap_or(0);
        if change != 0
            && let Some(id) = self.define(MetricType::Gauge, name)
        {
            let _ = hostcalls::increment_metric(id, change);
        }
    }

    fn define(&mut self, kind: MetricType, name: &str) -> Option<u32> {
        if let Some(id) = self.defined.get(name) {
            return Some(*id);
        }
        let id = hostcalls::define_metric(kind, name).ok()?;
        self.defined.insert(name.to_owned(), id);
        Some(id)
    }
}
