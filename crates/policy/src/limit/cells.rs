//! The cells that the workers share: values with compare-and-swap, each holding the counters of a
//! few tags.

use super::entry::{self, Entry, Tag};

/// The number of cells, and so of names in shared data, which knows no delete. A cell is some 130
/// bytes of Envoy's memory and 52 for each counter in it: a million counters in use come to 190 MB,
/// the most there can be ([`super::CELL_ENTRIES_MAX`] everywhere) to 1.9 GB, for which 33 million
/// counters would have to be in use.
pub const CELLS: u32 = 1 << 20;

/// The most attempts at a write that conflicts; then the request is refused. Each conflict means
/// that another worker got through, so that this many in a row mean that something is wrong.
pub const TRIES_MAX: u32 = 64;

/// Shared values with compare-and-swap, as a VM sees them. Reading and writing cost about a
/// microsecond in Envoy.
pub trait Cells {
    /// The value and its version, `None` if it was never written.
    fn read(&mut self, name: &str) -> Option<(Vec<u8>, u32)>;

    /// Writes if the version is still `cas`, or, with `None`, if there is no value yet. False means
    /// that somebody else wrote.
    ///
    /// Envoy's shared data takes version 0 for "any version"; a version that is never given out
    /// (`u32::MAX`) is accepted for an absent name and refused for any other, as `None` asks for.
    fn write(&mut self, name: &str, value: &[u8], cas: Option<u32>) -> bool;
}

/// The place of a counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) name: String,
    pub(super) tag: Tag,
}

/// Changes one counter: `change` is told its entry and answers the new one (`None` to leave it) and
/// a result. Tried again on conflict. `None` if it could not be carried out: too many conflicts, or
/// no room.
pub(super) fn update<T>(
    cells: &mut impl Cells,
    place: &Place,
    now_ms: u64,
    mut change: impl FnMut(Option<Entry>) -> (Option<Entry>, T),
) -> Option<T> {
    for _ in 0..TRIES_MAX {
        let found = cells.read(&place.name);
        let (value, cas) = found.map_or((Vec::new(), None), |(value, cas)| (value, Some(cas)));
        let (changed, result) = change(entry::find(&value, &place.tag));
        let Some(changed) = changed else { return Some(result) };
        let value = entry::replace(&value, &place.tag, &changed, now_ms)?;
        if cells.write(&place.name, &value, cas) {
            return Some(result);
        }
    }
    None
}

#[cfg(test)]
#[path = "cells_tests.rs"]
mod tests;
