//! The changes that were read from the log and are not applied yet, and their order: many changes
//! of one thing are few steps, and no tenant waits for the changes of another one. Without I/O and
//! clock.
//!
//! *Coalescing.* A change of a site is applied at once, and the next one of the same site not
//! before a gap has passed. Changes that arrive in the gap are one, and double it; one that arrives
//! after it begins with the smallest gap again.
//!
//! *Fairness.* Tenants take turns. A turn is a site, or a piece of the tenant's buckets, and a step
//! has room for so much; the rest goes on in the next step, before which the log is read again.
//!
//! So changes are not applied in the order of the log. [`Pending::reached`] gives the entry up to
//! which all of them are.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::SystemTime;

use policy::id::{SiteId, TenantId};
use policy::trace_parent::TraceParent;
use store::change::{Change, Logged};

/// The shortest and the longest gap. An edit now and then never meets one; the longest is short
/// enough for a person that waits for it.
const FIRST_GAP_MS: u64 = 25;
const LAST_GAP_MS: u64 = 200;

/// The room in a step, in buckets: some 50 ms of reading.
const STEP_WEIGHT: usize = 1_000;
/// A site is read by several queries, and translated.
const SITE_WEIGHT: usize = 10;
/// The most buckets of a turn. Those of one change of the database are together, unless it is
/// larger than this.
const BUCKETS_PER_TURN: usize = 256;
/// The most commits that a change names as its causes. Edits of one site that follow each other
/// closely are one change, and there may be any number of them.
const CAUSES: usize = 8;

/// A change that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    /// The first entry of the log that asks for it, and is not applied.
    pub(super) seq: i64,
    /// The last one.
    pub(super) last_seq: i64,
    at: SystemTime,
    /// The traced commits that ask for it, the first [`CAUSES`] of them.
    pub(super) causes: Vec<Cause>,
}

/// A traced commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cause {
    /// Its entry in the log.
    pub(super) seq: i64,
    pub(super) trace: TraceParent,
}

/// The changes of one step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    /// Each change once, with the tenant in whose turn it was taken.
    pub(super) changes: Vec<(TenantId, Change)>,
    /// The time at which the oldest of them was written.
    pub(super) oldest: Option<SystemTime>,
}

/// The changes that wait, by tenant.
#[derive(Debug)]
pub(super) struct Pending {
    read: i64,
    tenants: BTreeMap<TenantId, BTreeMap<Change, Waiting>>,
    /// The tenants that have something, each once; the first is next.
    turns: VecDeque<TenantId>,
    /// The sites that were applied a short time ago.
    gaps: BTreeMap<SiteId, Gap>,
}

#[derive(Clone, Copy, Debug)]
struct Gap {
    ends_ms: u64,
    length_ms: u64,
    /// True if a change arrived in it.
    used: bool,
}

impl Pending {
    /// Nothing waits, and everything through this entry of the log is applied.
    pub(super) fn new(seq: i64) -> Self {
        Self { read: seq, tenants: BTreeMap::new(), turns: VecDeque::new(), gaps: BTreeMap::new() }
    }

    /// The last entry of the log that was read.
    pub(super) fn read(&self) -> i64 {
        self.read
    }

    /// The last entry of the log up to which all are applied.
    pub(super) fn reached(&self) -> i64 {
        let first =
            self.tenants.values().flat_map(BTreeMap::values).map(|waiting| waiting.seq).min();
        first.map_or(self.read, |first| first - 1)
    }

    /// The entries of the log that ask for a change that waits.
    pub(super) fn waiting(&self, tenant: TenantId, change: &Change) -> Option<&Waiting> {
        self.tenants.get(&tenant)?.get(change)
    }

    /// The sites whose changes wait, without those in this step.
    pub(super) fn sites_beside(&self, taken: &Taken) -> BTreeSet<SiteId> {
        let site =
            |change: &Change| if let Change::Site(site) = change { Some(*site) } else { None };
        let mut sites: BTreeSet<_> =
            self.tenants.values().flat_map(BTreeMap::keys).filter_map(site).collect();
        for (_, change) in &taken.changes {
            if let Change::Site(site) = change {
                sites.remove(site);
            }
        }
        sites
    }

    /// The number of changes that wait.
    pub(super) fn len(&self) -> usize {
        self.tenants.values().map(BTreeMap::len).sum()
    }

    /// Takes in the next entries of the log.
    pub(super) fn add(&mut self, logged: &[Logged], now_ms: u64) {
        for entry in logged {
            self.read = self.read.max(entry.seq);
            let waiting = self.tenants.entry(entry.tenant).or_insert_with(|| {
                self.turns.push_back(entry.tenant);
                BTreeMap::new()
            });
            let waiting = waiting.entry(entry.change).or_insert_with(|| Waiting {
                seq: entry.seq,
                last_seq: entry.seq,
                at: entry.at,
                causes: Vec::new(),
            });
            waiting.last_seq = entry.seq;
            if let Some(trace) = entry.trace.filter(|_| waiting.causes.len() < CAUSES) {
                waiting.causes.push(Cause { seq: entry.seq, trace });
            }
            if let Change::Site(site) = entry.change
                && let Some(gap) = self.gaps.get_mut(&site).filter(|gap| now_ms < gap.ends_ms)
            {
                gap.used = true;
            }
        }
    }

    /// Returns the changes to apply now. They stay here until [`Self::done`] says that they were
    /// applied.
    pub(super) fn take(&mut self, now_ms: u64) -> Taken {
        self.gaps.retain(|_, gap| gap.used || now_ms < gap.ends_ms);
        let mut taken = Taken::default();
        let mut queues: Vec<_> =
            self.turns.iter().map(|tenant| (*tenant, self.turns_of(*tenant, now_ms))).collect();
        let mut room = STEP_WEIGHT;
        let mut served = 0;
        // A round gives each tenant a turn; the rest of the room goes to those that have more.
        while room > 0 && queues.iter().any(|(_, turns)| !turns.is_empty()) {
            for (tenant, turns) in &mut queues {
                let Some(turn) = (room > 0).then(|| turns.pop_front()).flatten() else { continue };
                room = room.saturating_sub(turn.weight);
                served += 1;
                for (change, at) in turn.changes {
                    taken.oldest = Some(taken.oldest.map_or(at, |oldest| oldest.min(at)));
                    taken.changes.push((*tenant, change));
                }
            }
        }
        if !self.turns.is_empty() {
            // A tenant that had no turn in this step is among the first of the next.
            let tenants = self.turns.len();
            self.turns.rotate_left(served.min(tenants) % tenants);
        }
        taken
    }

    /// Notes that a step was applied.
    pub(super) fn done(&mut self, taken: &Taken, now_ms: u64) {
        for (tenant, change) in &taken.changes {
            if let Some(waiting) = self.tenants.get_mut(tenant) {
                waiting.remove(change);
            }
            if let Change::Site(site) = change {
                let before = self.gaps.get(site).filter(|gap| gap.used);
                let length_ms =
                    before.map_or(FIRST_GAP_MS, |gap| (gap.length_ms * 2).min(LAST_GAP_MS));
                self.gaps
                    .insert(*site, Gap { ends_ms: now_ms + length_ms, length_ms, used: false });
            }
        }
        let tenants = &mut self.tenants;
        tenants.retain(|_, waiting| !waiting.is_empty());
        self.turns.retain(|tenant| tenants.contains_key(tenant));
    }

    /// The time at which something can be taken; `None` if nothing waits.
    pub(super) fn due_ms(&self) -> Option<u64> {
        let changes = self.tenants.values().flat_map(BTreeMap::keys);
        changes.map(|change| self.gap_of(change).map_or(0, |gap| gap.ends_ms)).min()
    }

    fn gap_of(&self, change: &Change) -> Option<&Gap> {
        let Change::Site(site) = change else { return None };
        self.gaps.get(site)
    }

    /// The changes of a tenant that can be applied now, cut in turns: its sites each for itself,
    /// its buckets in pieces, in the order of the log.
    fn turns_of(&self, tenant: TenantId, now_ms: u64) -> VecDeque<Turn> {
        let waiting = self.tenants.get(&tenant).into_iter().flatten();
        let due = waiting
            .filter(|(change, _)| self.gap_of(change).is_none_or(|gap| gap.ends_ms <= now_ms));
        let (mut buckets, mut sites): (Vec<_>, Vec<_>) =
            due.partition(|(change, _)| !matches!(change, Change::Site(_)));
        first_of(&mut buckets, STEP_WEIGHT);
        first_of(&mut sites, STEP_WEIGHT / SITE_WEIGHT);
        let change = |(change, waiting): &(&Change, &Waiting)| (**change, waiting.at);
        // Revocations are among them: they come before sites that may be many.
        let pieces = buckets
            .chunks(BUCKETS_PER_TURN)
            .map(|piece| Turn { weight: piece.len(), changes: piece.iter().map(change).collect() });
        let mut turns: VecDeque<Turn> = pieces.collect();
        turns.extend(
            sites.iter().map(|site| Turn { weight: SITE_WEIGHT, changes: vec![change(site)] }),
        );
        turns
    }
}

/// Keeps the first so many in the log, in its order.
fn first_of(due: &mut Vec<(&Change, &Waiting)>, count: usize) {
    if due.len() > count {
        due.select_nth_unstable_by_key(count, |(_, waiting)| waiting.seq);
        due.truncate(count);
    }
    due.sort_unstable_by_key(|(_, waiting)| waiting.seq);
}

#[derive(Debug)]
struct Turn {
    weight: usize,
    changes: Vec<(Change, SystemTime)>,
}

#[cfg(test)]
#[path = "pending_tests.rs"]
mod tests;
