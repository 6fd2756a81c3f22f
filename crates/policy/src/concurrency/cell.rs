//! A cell with the slots that VMs hold of the tenants whose cell it is: an entry for each tenant
//! and VM.
//!
//! A value that is no whole number of entries is taken for empty, as in `limit`: only another
//! version of this filter can have written it.

use crate::{
    id::TenantId,
    limit::{Cells, SKEW_MS, Seed, TRIES_MAX},
};

/// A VM that gave no sign of life for so long is taken for dead, in milliseconds: three beats.
pub const DEAD_AFTER_MS: u64 = 15_000;

/// The time that a VM taken for dead has to contradict, in milliseconds: so that a leap of the
/// clock does not take the slots of those that live.
pub const GRACE_MS: u64 = 5_000;

/// Tag, VM, slots, last sign of life, whether it is in doubt; numbers little endian.
const ENTRY_LEN: usize = 37;

/// The most entries of a cell, 19 KB: 64 VMs for eight tenants that share a cell. Beyond, newcomers
/// find it full.
const ENTRIES_MAX: usize = 512;

/// The slots of one tenant and VM at one time.
pub(super) struct Slots<'a> {
    pub(super) seed: &'a Seed,
    pub(super) vm: u64,
    pub(super) tenant: TenantId,
    pub(super) now_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    tag: [u8; 16],
    vm: u64,
    slots: u32,
    beat_ms: u64,
    in_doubt: bool,
}

impl Entry {
    fn decode(bytes: &[u8]) -> Option<Self> {
        let (tag, rest) = bytes.split_first_chunk::<16>()?;
        let (vm, rest) = rest.split_first_chunk::<8>()?;
        let (slots, rest) = rest.split_first_chunk::<4>()?;
        let (beat, rest) = rest.split_first_chunk::<8>()?;
        Some(Self {
            tag: *tag,
            vm: u64::from_le_bytes(*vm),
            slots: u32::from_le_bytes(*slots),
            beat_ms: u64::from_le_bytes(*beat),
            in_doubt: *rest.first()? != 0,
        })
    }

    fn encode(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.tag);
        to.extend_from_slice(&self.vm.to_le_bytes());
        to.extend_from_slice(&self.slots.to_le_bytes());
        to.extend_from_slice(&self.beat_ms.to_le_bytes());
        to.push(u8::from(self.in_doubt));
    }

    /// The entry as it stands at `now_ms`: one without a sign of life is doubted first, and dropped
    /// (`None`) later.
    fn aged(self, now_ms: u64) -> Option<Self> {
        let patience_ms = if self.in_doubt { GRACE_MS } else { DEAD_AFTER_MS };
        let lively = now_ms.saturating_sub(self.beat_ms) < patience_ms
            && self.beat_ms <= now_ms.saturating_add(SKEW_MS);
        match (lively, self.in_doubt) {
            (true, _) => Some(self),
            (false, false) => Some(Self { beat_ms: now_ms, in_doubt: true, ..self }),
            (false, true) => None,
        }
    }
}

impl Slots<'_> {
    /// Sets how many slots this VM holds: `change` is told the slots of other VMs, and answers with
    /// the new number and a result, or `None` to leave it. `None` also if the cell could not be
    /// written: too many conflicts, or no room.
    pub(super) fn update(
        &self,
        cells: &mut impl Cells,
        change: impl Fn(u32) -> Option<(u32, u32)>,
    ) -> Option<(u32, u32)> {
        let (name, tag) = self.seed.slots_place(self.tenant.as_bytes());
        for _ in 0..TRIES_MAX {
            let found = cells.read(&name);
            let (value, cas) = found.map_or((Vec::new(), None), |(value, cas)| (value, Some(cas)));
            let mut entries = decode(&value, self.now_ms);
            let own = |entry: &Entry| entry.tag == tag && entry.vm == self.vm;
            let others = entries.iter().filter(|entry| entry.tag == tag && !own(entry));
            let changed = change(others.fold(0, |sum, entry| sum.saturating_add(entry.slots)));
            if let Some((slots, _)) = changed {
                entries.retain(|entry| !own(entry));
                if slots > 0 {
                    if entries.len() >= ENTRIES_MAX {
                        return None;
                    }
                    entries.push(Entry {
                        tag,
                        vm: self.vm,
                        slots,
                        beat_ms: self.now_ms,
                        in_doubt: false,
                    });
                }
            }
            let mut replaced = Vec::with_capacity(entries.len() * ENTRY_LEN);
            entries.iter().for_each(|entry| entry.encode(&mut replaced));
            // If nothing is free, the findings about dead VMs are still worth writing down.
            if replaced == value || cells.write(&name, &replaced, cas) {
                return changed;
            }
        }
        None
    }
}

fn decode(value: &[u8], now_ms: u64) -> Vec<Entry> {
    if !value.len().is_multiple_of(ENTRY_LEN) {
        return Vec::new();
    }
    value.chunks_exact(ENTRY_LEN).filter_map(|bytes| Entry::decode(bytes)?.aged(now_ms)).collect()
}

#[cfg(test)]
#[path = "cell_tests.rs"]
mod tests;
