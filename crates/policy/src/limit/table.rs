//! What a VM holds of its counters: a table of fixed size, in sets. Finding is a look through one set; what is put in
//! where a set is full takes the place of what was not used for longest, which the caller has to return to its cell.

use super::{
    CHUNK_MAX, Measure,
    bucket::{Lease, Rate},
    subject::Seed,
};

/// How many counters share a set. A request for which a set has no room is refused: of all the counters of one request, more
/// than this many would have to fall into one of 512 sets, by a keyed hash.
const WAYS: usize = 16;

/// The sets of a VM: 8,192 slots, a megabyte.
pub(super) const SETS: usize = 512;

/// What a VM knows of one counter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) limit: u64,
    pub(super) subject: u64,
    pub(super) measure: Measure,
    /// The request that used it last; 0 for a free slot.
    pub(super) used_by: u64,
    /// Tokens in hand.
    pub(super) left: u32,
    /// Tokens that the cell holds for it, at least `left`.
    pub(super) size: u32,
    /// How many to ask for next time.
    pub(super) demand: u32,
    /// The era ([`super::Limiter`]) of what is known.
    pub(super) era: u32,
    /// Until when `left` may be used.
    pub(super) ends_ms: u64,
    /// Rate: when `amount` was right. Quota: the start of the window.
    pub(super) at_ms: u64,
    /// Rate: the deficit. Quota: the requests used.
    pub(super) amount: u64,
    /// Until when this VM refuses without looking.
    pub(super) blocked_ms: u64,
    /// When there is more, if it was refused.
    pub(super) reset_at_ms: u64,
}

impl Slot {
    const FREE: Self = Self {
        limit: 0,
        subject: 0,
        measure: Measure::Rate { requests: 0, per_ms: 0, burst: 0 },
        used_by: 0,
        left: 0,
        size: 0,
        demand: 1,
        era: 0,
        ends_ms: 0,
        at_ms: 0,
        amount: 0,
        blocked_ms: 0,
        reset_at_ms: 0,
    };

    /// A slot that knows nothing yet.
    pub(super) fn new(limit: u64, subject: u64, measure: Measure, era: u32) -> Self {
        Self { limit, subject, measure, era, ..Self::FREE }
    }

    /// The tokens that the cell holds for it.
    pub(super) fn lease(&self) -> Lease {
        Lease { size: self.size, left: self.left, at_ms: self.at_ms }
    }

    /// Notes that so many tokens came from the cell, of which one is used at once, and that more are to be asked for next time.
    pub(super) fn fill(&mut self, taken: u32, ends_ms: u64) {
        self.left = taken.saturating_sub(1);
        self.size = self.left;
        self.ends_ms = ends_ms;
        self.blocked_ms = 0;
        self.demand = self.demand.saturating_mul(2).min(CHUNK_MAX);
    }

    /// Requests that would pass now, by what was last known of the cell.
    pub(super) fn remaining(&self, now_ms: u64) -> u64 {
        let in_cell = match self.measure {
            Measure::Rate { requests, per_ms, burst } => {
                let rate = Rate { requests, per_ms, burst };
                rate.level(self.deficit(rate, now_ms))
            }
            Measure::Quota { requests, .. } => requests.saturating_sub(self.amount),
        };
        in_cell.saturating_add(u64::from(self.left)).min(self.measure.total())
    }

    /// Milliseconds until there is more.
    pub(super) fn reset_ms(&self, now_ms: u64) -> u64 {
        match self.measure {
            Measure::Rate { requests, per_ms, burst } => {
                let rate = Rate { requests, per_ms, burst };
                rate.wait_ms(self.deficit(rate, now_ms))
            }
            Measure::Quota { .. } => self.ends_ms.saturating_sub(now_ms),
        }
    }

    fn deficit(&self, rate: Rate, now_ms: u64) -> u64 {
        rate.drained(self.amount, now_ms.saturating_sub(self.at_ms))
    }
}

pub(super) struct Table {
    seed: Seed,
    sets: usize,
    slots: Box<[Slot]>,
}

impl Table {
    pub(super) fn new(seed: Seed, sets: usize) -> Self {
        Self { seed, sets, slots: vec![Slot::FREE; sets * WAYS].into_boxed_slice() }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    fn set_of(&self, limit: u64, subject: u64) -> usize {
        // The upper half of the hash, scaled: no division.
        let hash = self.seed.quick(limit, subject) >> 32;
        usize::try_from((hash * self.sets as u64) >> 32).unwrap_or(0) * WAYS
    }

    /// The index of a counter's slot.
    pub(super) fn find(&self, limit: u64, subject: u64) -> Option<usize> {
        let first = self.set_of(limit, subject);
        let set = self.slots.get(first..first + WAYS)?;
        let way = set.iter().position(|slot| slot.limit == limit && slot.subject == subject && slot.used_by > 0)?;
        Some(first + way)
    }

    pub(super) fn peek(&self, index: usize) -> Option<&Slot> {
        self.slots.get(index)
    }

    pub(super) fn get(&mut self, index: usize) -> Option<&mut Slot> {
        self.slots.get_mut(index)
    }

    /// Puts a new slot in, and answers its index and what had to go. Slots of the request `slot.used_by` stay. `None` if
    /// there is no room for that.
    pub(super) fn insert(&mut self, slot: Slot) -> Option<(usize, Option<Slot>)> {
        let first = self.set_of(slot.limit, slot.subject);
        let set = self.slots.get_mut(first..first + WAYS)?;
        let oldest = set.iter_mut().enumerate().min_by_key(|(_, other)| other.used_by);
        let (way, place) = oldest.filter(|(_, oldest)| oldest.used_by < slot.used_by)?;
        let gone = Some(*place).filter(|gone| gone.used_by > 0);
        *place = slot;
        Some((first + way, gone))
    }

    /// Frees a slot, and answers what it was.
    pub(super) fn remove(&mut self, index: usize) -> Option<Slot> {
        self.slots.get_mut(index).map(|slot| std::mem::replace(slot, Slot::FREE))
    }
}
