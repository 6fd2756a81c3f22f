//! The bytes of a cell: entries of [`ENTRY_LEN`] bytes, one for each counter that differs from an
//! untouched one.
//!
//! A value that is no whole number of entries is taken for empty, and replaced by the next write.
//! Nobody but this filter can write to shared data, so such bytes come from another version of it;
//! refusing would last as long as the process, for nothing can be deleted, while an empty cell
//! gives each of its counters one fresh start.

use super::SKEW_MS;

/// The tag by which counters in a cell are told apart: a keyed hash of limit and subject.
pub(super) type Tag = [u8; 16];

/// The most counters in one cell. One that finds no room is refused: it must neither lift nor reset
/// another's. Places are drawn by a keyed hash, so they cannot be aimed at, and a tenant's counters
/// spread over all cells: with 4 million in use, of any owner, a new one meets a full cell with a
/// probability below 1e-18, with 16 million 2e-4.
pub const CELL_ENTRIES_MAX: usize = 32;

/// The length of an entry: tag, three numbers of 8 bytes, three of 4, all little endian.
pub(super) const ENTRY_LEN: usize = 52;

/// The state of a counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    /// From then on the entry says the same as its absence: a full bucket, an ended window.
    pub(super) until_ms: u64,
    /// Rate: when `amount` was right. Quota: the start of the window.
    pub(super) at_ms: u64,
    /// Rate: the deficit, in tokens times `scale`. Quota: the requests used.
    pub(super) amount: u64,
    /// Rate: `per_ms`. Quota: 0.
    pub(super) scale: u32,
    /// Rate: tokens that leases hold, taken in the epoch of `at_ms` and in the one before. Quota:
    /// 0.
    pub(super) held: [u32; 2],
}

impl Entry {
    fn decode(bytes: &[u8]) -> Option<(Tag, Self)> {
        let (tag, rest) = bytes.split_first_chunk::<16>()?;
        let (until, rest) = rest.split_first_chunk::<8>()?;
        let (at, rest) = rest.split_first_chunk::<8>()?;
        let (amount, rest) = rest.split_first_chunk::<8>()?;
        let (scale, rest) = rest.split_first_chunk::<4>()?;
        let (held, rest) = rest.split_first_chunk::<4>()?;
        let (held_before, _) = rest.split_first_chunk::<4>()?;
        let entry = Self {
            until_ms: u64::from_le_bytes(*until),
            at_ms: u64::from_le_bytes(*at),
            amount: u64::from_le_bytes(*amount),
            scale: u32::from_le_bytes(*scale),
            held: [u32::from_le_bytes(*held), u32::from_le_bytes(*held_before)],
        };
        Some((*tag, entry))
    }

    fn encode(&self, tag: &Tag, to: &mut Vec<u8>) {
        to.extend_from_slice(tag);
        to.extend_from_slice(&self.until_ms.to_le_bytes());
        to.extend_from_slice(&self.at_ms.to_le_bytes());
        to.extend_from_slice(&self.amount.to_le_bytes());
        to.extend_from_slice(&self.scale.to_le_bytes());
        let [held, held_before] = self.held;
        to.extend_from_slice(&held.to_le_bytes());
        to.extend_from_slice(&held_before.to_le_bytes());
    }

    /// True if it can be left out. That is not before all clocks agree that its time is over: for a
    /// clock that lags, absence would be a fresh start of a window that has not ended.
    fn over(&self, now_ms: u64) -> bool {
        self.until_ms.saturating_add(SKEW_MS) <= now_ms
    }
}

fn entries(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let whole = value.len().is_multiple_of(ENTRY_LEN);
    value.chunks_exact(ENTRY_LEN).filter(move |_| whole)
}

/// The entry of a counter.
pub(super) fn find(value: &[u8], tag: &Tag) -> Option<Entry> {
    let found = entries(value).find(|entry| entry.starts_with(tag))?;
    Entry::decode(found).map(|(_, entry)| entry)
}

/// The cell with the entry of a counter replaced or added, and all that are over left out. `None`
/// if there is no room.
pub(super) fn replace(value: &[u8], tag: &Tag, new: &Entry, now_ms: u64) -> Option<Vec<u8>> {
    let mut replaced = Vec::with_capacity(value.len() + ENTRY_LEN);
    for bytes in entries(value).filter(|bytes| !bytes.starts_with(tag)) {
        if Entry::decode(bytes).is_some_and(|(_, entry)| !entry.over(now_ms)) {
            replaced.extend_from_slice(bytes);
        }
    }
    if !new.over(now_ms) {
        if replaced.len() >= CELL_ENTRIES_MAX * ENTRY_LEN {
            return None;
        }
        new.encode(tag, &mut replaced);
    }
    Some(replaced)
}

#[cfg(test)]
#[path = "entry_tests.rs"]
mod tests;
