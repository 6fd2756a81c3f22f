//! The counters that a VM holds: a table in sets. Finding one is a look at the tags of one set,
//! which are a line of the processor's cache. A counter put into a full set takes the place of the
//! one that was not used for longest, which the caller has to return to its cell. If that happens
//! often to counters in use, the table grows.

use super::{
    CHUNK_MAX, Measure,
    bucket::{Lease, Rate},
    subject::Seed,
};

/// The number of counters that share a set. A request for which a set has no room is refused: of
/// all the counters of one request, more than this many would have to fall into one of 512 sets, by
/// a keyed hash.
const WAYS: usize = 16;

/// The sets of a VM that has just started: 8,192 slots, a megabyte.
pub(super) const SETS: usize = 512;

/// The most sets: 131,072 slots, 17 MB. Half as much besides while the table grows to that.
const SETS_MAX: usize = 8_192;

/// A table in which more than one slot in so many was lost by a counter in use, between two looks,
/// is too small.
const LOST_SHARE: usize = 16;

/// A VM's knowledge of one counter.
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
    /// The tokens to ask for next time.
    pub(super) demand: u32,
    /// The era ([`super::Limiter`]) of this knowledge.
    pub(super) era: u32,
    /// Until when `left` may be used.
    pub(super) ends_ms: u64,
    /// Rate: when `amount` was right. Quota: the start of the window.
    pub(super) at_ms: u64,
    /// Rate: the deficit. Quota: the requests used.
    pub(super) amount: u64,
    /// Until when this VM refuses without looking.
    pub(super) blocked_ms: u64,
    /// The time at which there is more, if it was refused.
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

    /// Notes that so many tokens came from the cell, of which one is used at once, and that more
    /// are to be asked for next time.
    pub(super) fn fill(&mut self, taken: u32, ends_ms: u64) {
        self.left = taken.saturating_sub(1);
        self.size = self.left;
        self.ends_ms = ends_ms;
        self.blocked_ms = 0;
        self.demand = self.demand.saturating_mul(2).min(CHUNK_MAX);
    }

    /// Requests that would pass now, by the last look at the cell.
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
    /// Of each slot some bits of its counter's hash; 0 of a free one.
    tags: Box<[[u32; WAYS]]>,
    slots: Box<[Slot]>,
    /// The number of times that a slot was taken from a counter in use since the last look.
    lost: usize,
}

impl Table {
    pub(super) fn new(seed: Seed, sets: usize) -> Self {
        let (tags, slots) = (vec![[0; WAYS]; sets], vec![Slot::FREE; sets * WAYS]);
        Self { seed, tags: tags.into_boxed_slice(), slots: slots.into_boxed_slice(), lost: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The set of a counter, and its tag.
    fn place(&self, limit: u64, subject: u64) -> (usize, u32) {
        let hash = self.seed.quick(limit, subject);
        // The upper half, scaled: no division; and a set of a table twice as large has no counter
        // of another one of this.
        let set = ((hash >> 32) * self.tags.len() as u64) >> 32;
        #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
        let tag = hash as u32 | 1;
        (usize::try_from(set).unwrap_or(0), tag)
    }

    /// The index of a counter's slot.
    pub(super) fn find(&self, limit: u64, subject: u64) -> Option<usize> {
        let (set, tag) = self.place(limit, subject);
        let tags = self.tags.get(set)?;
        let is_its = |index: usize| {
            self.slots.get(index).is_some_and(|slot| slot.limit == limit && slot.subject == subject)
        };
        (set * WAYS..)
            .zip(tags)
            .find_map(|(index, known)| (*known == tag && is_its(index)).then_some(index))
    }

    pub(super) fn peek(&self, index: usize) -> Option<&Slot> {
        self.slots.get(index)
    }

    pub(super) fn get(&mut self, index: usize) -> Option<&mut Slot> {
        self.slots.get_mut(index)
    }

    /// Puts a new slot in, and returns its index and the slot that had to go. Slots of the request
    /// `slot.used_by` stay. `None` if there is no room for that. A slot that was used after the
    /// request `in_use` is missed.
    pub(super) fn insert(&mut self, slot: Slot, in_use: u64) -> Option<(usize, Option<Slot>)> {
        let (set, tag) = self.place(slot.limit, slot.subject);
        let first = set * WAYS;
        let slots = self.slots.get_mut(first..first + WAYS)?;
        let oldest = slots.iter_mut().enumerate().min_by_key(|(_, other)| other.used_by);
        let (way, place) = oldest.filter(|(_, oldest)| oldest.used_by < slot.used_by)?;
        let gone = Some(*place).filter(|gone| gone.used_by > 0);
        *place = slot;
        *self.tags.get_mut(set)?.get_mut(way)? = tag;
        self.lost += usize::from(gone.is_some_and(|gone| gone.used_by > in_use));
        Some((first + way, gone))
    }

    /// Frees a slot, and returns its content.
    pub(super) fn remove(&mut self, index: usize) -> Option<Slot> {
        *self.tags.get_mut(index / WAYS)?.get_mut(index % WAYS)? = 0;
        self.slots.get_mut(index).map(|slot| std::mem::replace(slot, Slot::FREE))
    }

    /// Becomes twice as large if too much was lost since this was asked before. Slots have other
    /// indices then.
    pub(super) fn look_after_size(&mut self) {
        let lost = std::mem::take(&mut self.lost);
        let sets = self.tags.len();
        if lost * LOST_SHARE < self.len() || sets >= SETS_MAX {
            return;
        }
        let smaller = std::mem::replace(self, Self::new(self.seed, sets * 2));
        for slot in smaller.slots.into_iter().filter(|slot| slot.used_by > 0) {
            self.put(slot);
        }
    }

    /// Puts in a slot of a table half as large, for which there is room: its set has no others than
    /// those of one set there.
    fn put(&mut self, slot: Slot) {
        let (set, tag) = self.place(slot.limit, slot.subject);
        let tags = self.tags.get_mut(set).into_iter().flatten();
        let slots = self.slots.get_mut(set * WAYS..).into_iter().flatten();
        if let Some((free, place)) = tags.zip(slots).find(|(known, _)| **known == 0) {
            (*free, *place) = (tag, slot);
        }
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
