//! The filter's figures in Envoy's stats. Counts are added up in the VM and handed over on each
//! tick, so that they cost a request nothing; no name has a tenant in it, so that their number is
//! fixed.

use std::collections::BTreeMap;

use policy::gauge;
use policy::refusal::Refusal;
use policy::stats;
use policy::usage::Aggregator;
use proxy_wasm::hostcalls;
use proxy_wasm::types::MetricType;

use crate::pushed::Pushed;
use crate::shared::SharedCells;

/// Metrics of one VM.
pub(crate) struct Metrics {
    /// A random number, which tells this VM's part of the gauges from others'.
    vm: u64,
    let_go: u64,
    refused: BTreeMap<&'static str, u64>,
    defined: BTreeMap<String, u32>,
}

impl Metrics {
    pub(crate) fn new(vm: u64) -> Self {
        Self { vm, let_go: 0, refused: BTreeMap::new(), defined: BTreeMap::new() }
    }

    /// A request was let go.
    pub(crate) fn let_go(&mut self) {
        self.let_go += 1;
    }

    /// A request was refused.
    pub(crate) fn refused(&mut self, refusal: &Refusal) {
        *self.refused.entry(refusal.reason()).or_default() += 1;
    }

    /// Hands over the counts.
    pub(crate) fn flush(&mut self, pushed: &Pushed, usage: &Aggregator, now_ms: u64) {
        let let_go = std::mem::take(&mut self.let_go);
        self.add(stats::LET_GO, let_go);
        for (reason, count) in std::mem::take(&mut self.refused) {
            self.add(&stats::refused(reason), count);
        }
        let (sites, consumers) = pushed.decoded();
        let pending = usage.pending();
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let own = [number(sites), number(consumers), number(pending.entries), pending.requests];
        if let Some(sums) = gauge::add_up(self.vm, own, now_ms, &mut SharedCells) {
            for ((name, _), sum) in stats::GAUGES.into_iter().zip(sums) {
                self.set(name, sum);
            }
        }
    }

    fn add(&mut self, name: &str, count: u64) {
        if count > 0
            && let Some(id) = self.define(MetricType::Counter, name)
        {
            let _ = hostcalls::increment_metric(id, i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    fn set(&mut self, name: &str, value: u64) {
        if let Some(id) = self.define(MetricType::Gauge, name) {
            let _ = hostcalls::record_metric(id, value);
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
