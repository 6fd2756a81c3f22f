//! The arithmetic of a quota: requests used in a window of the calendar. A leased request is used,
//! until it returns.

use super::{Bounds, CHUNK_SHARE, SKEW_MS, entry::Entry};

/// A quota in the window that is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quota {
    requests: u64,
    pub(super) start_ms: u64,
    end_ms: u64,
    pub(super) used: u64,
}

impl Quota {
    /// The quota that an entry describes, at `now_ms`, which is in the window `bounds`.
    ///
    /// A window that began after this worker's is in force for it too: its clock lags, or its time
    /// zone was changed. A window that lies wholly in the future comes from a clock that was set
    /// back: used requests stay used.
    pub(super) fn at(entry: Option<Entry>, requests: u64, bounds: Bounds, now_ms: u64) -> Self {
        let fresh = Self { requests, start_ms: bounds.start_ms, end_ms: bounds.end_ms, used: 0 };
        match entry {
            None => fresh,
            Some(entry) if entry.at_ms > now_ms.saturating_add(SKEW_MS) => {
                Self { used: entry.amount, ..fresh }
            }
            Some(entry) if entry.at_ms < bounds.start_ms => fresh,
            Some(entry) => Self {
                start_ms: entry.at_ms,
                end_ms: bounds.end_ms.max(entry.until_ms),
                used: entry.amount,
                ..fresh
            },
        }
    }

    /// The requests that are left.
    pub(super) fn left(&self) -> u64 {
        self.requests.saturating_sub(self.used)
    }

    /// Takes up to `wanted`; `None` if nothing is left.
    pub(super) fn take(&mut self, wanted: u32) -> Option<u32> {
        let left = self.left();
        if left == 0 {
            return None;
        }
        let share = u32::try_from(left / CHUNK_SHARE).unwrap_or(u32::MAX);
        let taken = wanted.min(share).max(1);
        self.used = self.used.saturating_add(u64::from(taken));
        Some(taken)
    }

    /// Takes back a lease from the window that began at `start_ms`, if that is the one in force.
    pub(super) fn put_back(&mut self, unused: u32, start_ms: u64) {
        if start_ms == self.start_ms {
            self.used = self.used.saturating_sub(u64::from(unused));
        }
    }

    /// The entry that the cell keeps of it.
    pub(super) fn entry(&self) -> Entry {
        Entry {
            until_ms: self.end_ms,
            at_ms: self.start_ms,
            amount: self.used,
            scale: 0,
            held: [0; 2],
        }
    }
}

#[cfg(test)]
#[path = "quota_tests.rs"]
mod tests;
