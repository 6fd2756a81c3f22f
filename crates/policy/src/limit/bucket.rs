//! The arithmetic of a token bucket that lends.
//!
//! All in whole numbers: a token is `per_ms` units, and `requests` units come back in a
//! millisecond. The state is the deficit: the tokens that the bucket lacks to be full. It falls
//! with time, but not below the tokens that leases hold.

use super::{CHUNK_SHARE, EPOCH_MS, SKEW_MS, entry::Entry};

/// The figures of a [`super::Measure::Rate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    pub(super) requests: u32,
    pub(super) per_ms: u32,
    pub(super) burst: u32,
}

impl Rate {
    fn units(self, tokens: u32) -> u64 {
        u64::from(tokens) * u64::from(self.per_ms)
    }

    fn capacity(self) -> u64 {
        self.units(self.burst)
    }

    /// Returns the rest of a deficit after some time.
    pub(super) fn drained(self, deficit: u64, elapsed_ms: u64) -> u64 {
        deficit.saturating_sub(elapsed_ms.saturating_mul(u64::from(self.requests)))
    }

    /// The whole tokens of a bucket with a deficit.
    pub(super) fn level(self, deficit: u64) -> u64 {
        self.capacity().saturating_sub(deficit).checked_div(u64::from(self.per_ms)).unwrap_or(0)
    }

    /// Milliseconds until a bucket with a deficit has one whole token more; 0 if it is full,
    /// `u64::MAX` if that is never.
    pub(super) fn wait_ms(self, deficit: u64) -> u64 {
        let next = self.level(deficit).saturating_add(1).saturating_mul(u64::from(self.per_ms));
        match self.capacity().checked_sub(next) {
            Some(target) if self.per_ms > 0 => self.drain_ms(deficit.saturating_sub(target)),
            _ if self.capacity() == 0 => u64::MAX,
            _ => self.drain_ms(deficit),
        }
    }

    fn drain_ms(self, units: u64) -> u64 {
        match (units, self.requests) {
            (0, _) => 0,
            (_, 0) => u64::MAX,
            (units, requests) => units.div_ceil(u64::from(requests)),
        }
    }
}

/// A VM's report on the lease that it had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    /// The tokens that the bucket holds for it.
    pub(super) size: u32,
    /// Those not used.
    pub(super) left: u32,
    /// The bucket's time when it was taken.
    pub(super) at_ms: u64,
}

impl Lease {
    /// The time at which its VM has to stop using it.
    pub(super) fn ends_ms(at_ms: u64) -> u64 {
        (at_ms / EPOCH_MS).saturating_add(2).saturating_mul(EPOCH_MS).saturating_sub(SKEW_MS)
    }
}

/// A bucket at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bucket {
    rate: Rate,
    pub(super) at_ms: u64,
    pub(super) deficit: u64,
    held: [u32; 2],
}

impl Bucket {
    /// The bucket that an entry describes, brought to `now_ms`. Without an entry it is full. An
    /// entry that says more than is possible, also one from before a limit was lowered, is an empty
    /// bucket.
    pub(super) fn at(entry: Option<Entry>, rate: Rate, now_ms: u64) -> Self {
        let Some(entry) = entry else {
            return Self { rate, at_ms: now_ms, deficit: 0, held: [0; 2] };
        };
        let deficit = rescaled(entry.amount, entry.scale, rate.per_ms).min(rate.capacity());
        let mut bucket = Self { rate, at_ms: entry.at_ms, deficit, held: entry.held };
        bucket.advance(now_ms);
        bucket
    }

    fn floor(&self) -> u64 {
        let [held, held_before] = self.held;
        self.rate.units(held.saturating_add(held_before))
    }

    fn advance(&mut self, now_ms: u64) {
        let [held, held_before] = self.held;
        if now_ms.saturating_add(SKEW_MS) < self.at_ms {
            // The clock was set back: nothing comes back for that, and a lease is held from now.
            self.at_ms = now_ms;
            self.held = [held.saturating_add(held_before), 0];
            self.deficit = self.deficit.max(self.floor());
            return;
        }
        while self.at_ms / EPOCH_MS < now_ms / EPOCH_MS && self.held != [0; 2] {
            self.drain_to((self.at_ms / EPOCH_MS).saturating_add(1).saturating_mul(EPOCH_MS));
            let [held, _] = self.held;
            self.held = [0, held];
        }
        self.drain_to(now_ms);
    }

    fn drain_to(&mut self, to_ms: u64) {
        self.deficit =
            self.rate.drained(self.deficit, to_ms.saturating_sub(self.at_ms)).max(self.floor());
        self.at_ms = self.at_ms.max(to_ms);
    }

    /// Ends a lease: its tokens are no longer held, and the unused ones come back. One that is too
    /// old has been forgotten already, with its tokens.
    pub(super) fn end(&mut self, lease: Lease) {
        let [held, held_before] = &mut self.held;
        let counted = match (self.at_ms / EPOCH_MS).checked_sub(lease.at_ms / EPOCH_MS) {
            Some(0) => held,
            Some(1) => held_before,
            _ => return,
        };
        *counted = counted.saturating_sub(lease.size);
        self.put_back(lease.left);
    }

    /// Takes back tokens that were taken and not used.
    pub(super) fn put_back(&mut self, tokens: u32) {
        self.deficit = self.deficit.saturating_sub(self.rate.units(tokens)).max(self.floor());
    }

    /// Takes up to `wanted` tokens: the first is to be used at once, the others are held for the
    /// taker. `None` if there is none.
    pub(super) fn take(&mut self, wanted: u32) -> Option<u32> {
        let level = self.rate.level(self.deficit);
        if level == 0 {
            return None;
        }
        let share = u32::try_from(level / CHUNK_SHARE).unwrap_or(u32::MAX);
        let taken = wanted.min(share).max(1);
        self.deficit = self.deficit.saturating_add(self.rate.units(taken));
        let [held, _] = &mut self.held;
        *held = held.saturating_add(taken - 1);
        Some(taken)
    }

    /// Milliseconds until the next token.
    pub(super) fn wait_ms(&self) -> u64 {
        self.rate.wait_ms(self.deficit)
    }

    /// The entry that the cell keeps of it.
    pub(super) fn entry(&self) -> Entry {
        let mut later = *self;
        if self.held != [0; 2] {
            later.advance((self.at_ms / EPOCH_MS).saturating_add(2).saturating_mul(EPOCH_MS));
        }
        Entry {
            until_ms: later.at_ms.saturating_add(self.rate.drain_ms(later.deficit)),
            at_ms: self.at_ms,
            amount: self.deficit,
            scale: self.rate.per_ms,
            held: self.held,
        }
    }
}

/// A deficit in units of another period, rounded up.
fn rescaled(deficit: u64, from: u32, to: u32) -> u64 {
    if from == to {
        return deficit;
    }
    if from == 0 {
        // No bucket's scale: an empty bucket is the safe reading.
        return u64::MAX;
    }
    u64::try_from((u128::from(deficit) * u128::from(to)).div_ceil(u128::from(from)))
        .unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "bucket_tests.rs"]
mod tests;
