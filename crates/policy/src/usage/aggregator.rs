//! The sums of one worker VM, and the reports that carry them away.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use prost::Message as _;

use super::detail::{Detail, EntryKey};
use super::histogram::{self, BUCKETS};
use super::{Exchange, HOUR_MS, UsageEntry, UsageReport, Who, status_class};
use crate::hash::Mixer;
use crate::id::SiteId;

/// The number of sums that a VM keeps apart. The map then has 16,384 places of 185 bytes, 3.0 MB in
/// each VM; it may come to twice as many places where entries come and go, and needs both the old
/// and the new ones for the moment in which it grows: 9.1 MB at the very worst. Memory is taken as
/// entries come.
pub const MAX_ENTRIES: usize = 14_336;

/// The most entries in a report. Each takes 229 bytes at the worst, so that a report is within
/// [`super::MAX_REPORT_BYTES`].
pub const MAX_REPORT_ENTRIES: usize = 1_024;

/// The time for which a VM collects before it reports, unless it has a whole report together
/// earlier. It bounds both the loss in a crash, and how often the control plane writes for each VM.
pub const REPORT_INTERVAL_MS: u64 = 5_000;

/// The time that an answer may take. The call itself should be given up before.
const ANSWER_TIMEOUT_MS: u64 = 15_000;

/// The time to wait after a failure, doubled with each that follows. A quarter of it is spread over
/// the reporters.
const FIRST_DELAY_MS: u64 = 1_000;
const LAST_DELAY_MS: u64 = 30_000;

/// The tag of [`UsageReport::entries`]: field 4, length-delimited.
const ENTRY_TAG: u8 = 4 << 3 | 2;

/// The sums of one entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    requests: u64,
    request_bytes: u64,
    response_bytes: u64,
    duration_us: u64,
    histogram: [u32; BUCKETS],
}

impl Sums {
    fn record(&mut self, exchange: &Exchange) {
        self.requests = self.requests.saturating_add(1);
        self.request_bytes = self.request_bytes.saturating_add(exchange.request_bytes);
        self.response_bytes = self.response_bytes.saturating_add(exchange.response_bytes);
        self.duration_us = self.duration_us.saturating_add(exchange.duration_us);
        if let Some(count) = self.histogram.get_mut(histogram::bucket_of(exchange.duration_us)) {
            *count = count.saturating_add(1);
        }
    }

    fn add(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.request_bytes = self.request_bytes.saturating_add(other.request_bytes);
        self.response_bytes = self.response_bytes.saturating_add(other.response_bytes);
        self.duration_us = self.duration_us.saturating_add(other.duration_us);
        for (count, more) in self.histogram.iter_mut().zip(&other.histogram) {
            *count = count.saturating_add(*more);
        }
    }
}

/// The usage that waits to be acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// The number of sums that are in no report yet.
    pub entries: usize,
    /// The number of requests in them, and in the report that is under way.
    pub requests: u64,
}

/// A report to be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report<'a> {
    /// Its number; give it back with the answer.
    pub seq: u64,
    /// The bytes of the [`UsageReport`].
    pub message: &'a [u8],
}

#[derive(Debug)]
struct InFlight {
    seq: u64,
    message: Vec<u8>,
    requests: u64,
    /// [`UsageReport::lost_requests`] in it.
    lost_requests: u64,
    /// The time from which it may be sent again.
    again_at_ms: u64,
    /// The pause that the last failure cost; 0 before the first.
    delay_ms: u64,
}

/// The sums of one worker VM. See the [module](super) for how they get to the control plane exactly
/// once.
#[derive(Debug)]
pub struct Aggregator {
    reporter: [u8; 16],
    node_id: String,
    entries: HashMap<EntryKey, Sums, Mixer>,
    requests: u64,
    /// The sites that have got too many entries, and the detail that is kept of them until there is
    /// room again.
    coarse: HashMap<SiteId, Detail>,
    /// True if coarsening has been tried since the last report, and cannot help before the next.
    exhausted: bool,
    coarsened_requests: u64,
    lost_requests: u64,
    last_seq: u64,
    in_flight: Option<InFlight>,
    /// The time at which the next report is due.
    due_ms: u64,
    max_entries: usize,
    max_report_entries: usize,
}

impl Aggregator {
    /// Begins to count. `reporter` is random, and drawn anew at each start of the VM: two VMs that
    /// have the same would have their reports taken for each other's. `node_id` is for the
    /// receiver's logs.
    pub fn new(reporter: [u8; 16], node_id: String) -> Self {
        Self {
            reporter,
            node_id,
            entries: HashMap::default(),
            requests: 0,
            coarse: HashMap::new(),
            exhausted: false,
            coarsened_requests: 0,
            lost_requests: 0,
            last_seq: 0,
            in_flight: None,
            due_ms: 0,
            max_entries: MAX_ENTRIES,
            max_report_entries: MAX_REPORT_ENTRIES,
        }
    }

    #[cfg(test)]
    pub(super) fn bounded(
        max_entries: usize,
        max_report_entries: usize,
        reporter: [u8; 16],
    ) -> Self {
        Self { max_entries, max_report_entries, ..Self::new(reporter, "node".to_owned()) }
    }

    /// Counts a request. It allocates nothing if its like has been counted since the last report.
    pub fn record(&mut self, who: &Who, exchange: &Exchange) {
        let hour = u32::try_from(exchange.ended_at_ms / HOUR_MS).unwrap_or(u32::MAX);
        let mut key = EntryKey { who: *who, hour, status_class: status_class(exchange.status) };
        if !self.coarse.is_empty() {
            key = self.coarsened(key);
        }
        self.requests = self.requests.saturating_add(1);
        if let Some(sums) = self.entries.get_mut(&key) {
            return sums.record(exchange);
        }
        self.record_anew(key, exchange);
    }

    /// Counts the first of its like.
    #[inline(never)]
    fn record_anew(&mut self, key: EntryKey, exchange: &Exchange) {
        if self.entries.len() < self.max_entries {
            self.entries.entry(key).or_default().record(exchange);
        } else {
            self.record_at_the_bound(key, exchange);
        }
    }

    fn coarsened(&mut self, key: EntryKey) -> EntryKey {
        let Some(detail) = self.coarse.get(&key.who.site) else { return key };
        let coarse = detail.of(key);
        if coarse != key {
            self.coarsened_requests = self.coarsened_requests.saturating_add(1);
        }
        coarse
    }

    /// Makes room, or else adds to the finest entry there is that takes in this request. A request
    /// that fits nowhere is counted.
    #[cold]
    fn record_at_the_bound(&mut self, key: EntryKey, exchange: &Exchange) {
        if !self.exhausted {
            self.make_room();
        }
        let key = self.coarsened(key);
        if self.entries.contains_key(&key) || self.entries.len() < self.max_entries {
            return self.entries.entry(key).or_default().record(exchange);
        }
        let mut detail = Detail::Full;
        while let Some(coarser) = detail.coarser() {
            detail = coarser;
            if let Some(sums) = self.entries.get_mut(&detail.of(key)) {
                self.coarsened_requests = self.coarsened_requests.saturating_add(1);
                return sums.record(exchange);
            }
        }
        self.requests = self.requests.saturating_sub(1);
        self.lost_requests = self.lost_requests.saturating_add(1);
    }

    /// Coarsens the sites that have more than their share of the entries, step by step, until a
    /// quarter of the places is free. Sites that have no more than their share keep all detail, so
    /// that nobody pays for a noisy neighbour. It looks at all entries at each of at most four
    /// steps, and is not tried again before the next report.
    fn make_room(&mut self) {
        let enough = self.max_entries / 4 * 3;
        let mut detail = Detail::Full;
        while let Some(coarser) = detail.coarser() {
            detail = coarser;
            if self.entries.len() <= enough {
                return;
            }
            let mut sizes: HashMap<SiteId, usize> = HashMap::new();
            for key in self.entries.keys() {
                *sizes.entry(key.who.site).or_default() += 1;
            }
            let share = enough / sizes.len().max(1);
            let large = sizes.into_iter().filter(|(_, size)| *size > share).map(|(site, _)| site);
            for site in large {
                let kept = self.coarse.entry(site).or_insert(detail);
                *kept = detail.max(*kept);
            }
            self.merge();
        }
        self.exhausted = self.entries.len() >= self.max_entries;
    }

    /// Brings all entries to the detail of their sites.
    fn merge(&mut self) {
        let coarse = &self.coarse;
        let detail = |key: &EntryKey| coarse.get(&key.who.site).copied().unwrap_or(Detail::Full);
        let fine: Vec<_> = self.entries.extract_if(|key, _| detail(key).of(*key) != *key).collect();
        for (key, sums) in fine {
            self.coarsened_requests = self.coarsened_requests.saturating_add(sums.requests);
            match self.entries.entry(detail(&key).of(key)) {
                Entry::Occupied(entry) => entry.into_mut().add(&sums),
                Entry::Vacant(entry) => *entry.insert(Sums::default()) = sums,
            }
        }
    }

    /// The report to be sent now, if one is: ask every second or so, and after each answer. A
    /// report that was not acknowledged comes again, with the same bytes, when it is time for that.
    pub fn next_report(&mut self, now_ms: u64) -> Option<Report<'_>> {
        if self.in_flight.is_none() {
            let whole = self.entries.len() >= self.max_report_entries;
            // A clock that was put back must not stop the reports.
            let due = now_ms >= self.due_ms || self.due_ms - now_ms > REPORT_INTERVAL_MS;
            if !(whole || due) {
                return None;
            }
        }
        self.flush(now_ms)
    }

    /// Like [`Aggregator::next_report`], but waits for nothing: neither for more requests nor for a
    /// pause to end. For the end of a VM.
    pub fn last_report(&mut self, now_ms: u64) -> Option<Report<'_>> {
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.again_at_ms = now_ms;
        }
        self.flush(now_ms)
    }

    fn flush(&mut self, now_ms: u64) -> Option<Report<'_>> {
        if self.in_flight.is_none() {
            if self.entries.is_empty() && self.coarsened_requests == 0 && self.lost_requests == 0 {
                return None;
            }
            self.in_flight = Some(self.encode(now_ms));
            self.due_ms = now_ms.saturating_add(REPORT_INTERVAL_MS);
        }
        let in_flight = self.in_flight.as_mut()?;
        let wait_ms = in_flight.again_at_ms.saturating_sub(now_ms);
        if wait_ms > 0 && wait_ms <= LAST_DELAY_MS * 2 {
            return None;
        }
        in_flight.again_at_ms = now_ms.saturating_add(ANSWER_TIMEOUT_MS);
        Some(Report { seq: in_flight.seq, message: &in_flight.message })
    }

    /// Moves entries into a report, as many as fit.
    fn encode(&mut self, now_ms: u64) -> InFlight {
        self.last_seq = self.last_seq.saturating_add(1);
        let head = UsageReport {
            reporter: self.reporter.to_vec(),
            seq: self.last_seq,
            node_id: self.node_id.clone(),
            entries: Vec::new(),
            coarsened_requests: std::mem::take(&mut self.coarsened_requests),
            lost_requests: std::mem::take(&mut self.lost_requests),
        };
        let mut message = head.encode_to_vec();
        let mut requests = 0_u64;
        let mut entry = UsageEntry::default();
        for (key, sums) in self.entries.extract_if(|_, _| true).take(self.max_report_entries) {
            requests = requests.saturating_add(sums.requests);
            fill(&mut entry, &key, &sums);
            message.push(ENTRY_TAG);
            // A Vec grows: there is nothing that could fail.
            let _ = entry.encode_length_delimited(&mut message);
        }
        self.exhausted = false;
        if self.entries.len() <= self.max_entries / 2 {
            self.coarse = HashMap::new();
        }
        InFlight {
            seq: self.last_seq,
            message,
            requests,
            lost_requests: head.lost_requests,
            again_at_ms: now_ms,
            delay_ms: 0,
        }
    }

    /// The report is in the receiver's sums.
    pub fn acked(&mut self, seq: u64) {
        if let Some(in_flight) = self.in_flight.take_if(|in_flight| in_flight.seq == seq) {
            self.requests = self.requests.saturating_sub(in_flight.requests);
        }
    }

    /// The report may or may not have arrived: no answer came, or one that says to try again. It is
    /// sent again after a pause of 1 s that doubles up to 30 s.
    pub fn failed(&mut self, seq: u64, now_ms: u64) {
        let Some(in_flight) = self.in_flight.as_mut().filter(|in_flight| in_flight.seq == seq)
        else {
            return;
        };
        in_flight.delay_ms = (in_flight.delay_ms * 2).clamp(FIRST_DELAY_MS, LAST_DELAY_MS);
        let [high, low, ..] = self.reporter;
        let spread = in_flight.delay_ms / 4 * u64::from(u16::from_be_bytes([high, low]))
            / u64::from(u16::MAX);
        in_flight.again_at_ms = now_ms.saturating_add(in_flight.delay_ms - spread);
    }

    /// The receiver will never take this report (`INVALID_ARGUMENT`). Its requests are counted as
    /// lost, so that later ones are not held up for ever.
    pub fn refused(&mut self, seq: u64) {
        if let Some(in_flight) = self.in_flight.take_if(|in_flight| in_flight.seq == seq) {
            self.requests = self.requests.saturating_sub(in_flight.requests);
            let lost = in_flight.requests.saturating_add(in_flight.lost_requests);
            self.lost_requests = self.lost_requests.saturating_add(lost);
        }
    }

    /// The usage that waits to be acknowledged.
    pub fn pending(&self) -> Pending {
        Pending { entries: self.entries.len(), requests: self.requests }
    }
}

/// Writes an entry over the one before, whose memory is used again.
fn fill(entry: &mut UsageEntry, key: &EntryKey, sums: &Sums) {
    let Who { tenant, site, consumer, key: credential, route } = &key.who;
    let ids = [
        (&mut entry.tenant_id, Some(tenant.as_bytes())),
        (&mut entry.site_id, Some(site.as_bytes())),
        (&mut entry.consumer_id, consumer.as_ref().map(|id| id.as_bytes())),
        (&mut entry.key_id, credential.as_ref().map(|id| id.as_bytes())),
        (&mut entry.route_id, route.as_ref().map(|id| id.as_bytes())),
    ];
    for (field, id) in ids {
        field.clear();
        field.extend_from_slice(id.map_or(&[][..], |id| id));
    }
    entry.hour = key.hour;
    entry.status_class = u32::from(key.status_class);
    entry.requests = sums.requests;
    entry.request_bytes = sums.request_bytes;
    entry.response_bytes = sums.response_bytes;
    entry.duration_us = sums.duration_us;
    let used = sums.histogram.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1);
    entry.histogram.clear();
    entry.histogram.extend(sums.histogram.iter().take(used));
}

#[cfg(test)]
#[path = "aggregator_tests.rs"]
mod tests;
