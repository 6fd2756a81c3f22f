//! Replay protection: the nonces of signed requests, each accepted once in one Envoy.
//!
//! All workers share a bounded number of cells for each site, with compare-and-swap ([`Cells`]). A
//! cell holds the nonces that were accepted until the signatures that carried them are too old
//! anyway.
//!
//! # The law
//! Of all requests of a site with the same `keyid`, `nonce` and end, at most one is accepted, over
//! any interleaving of workers and any readings of their clocks. The reason: a nonce is accepted by
//! the write that puts it in its cell; and a cell that drops one remembers the latest end of all
//! that it has dropped, and accepts nothing that ends at that time or before. A nonce may come
//! again with a later end (in another signature) once the first has ended.
//!
//! A site that raises the age up to which it accepts signatures gives old ones a new end: those
//! that were dropped under the old age are accepted once more. Nonces are not shared between
//! Envoys.
//!
//! # Bounds
//! A site remembers up to [`NONCES_MAX`] nonces, in at most 4.2 MB. A nonce that does not fit is
//! refused, for an accepted request that could be replayed is worse. Places are drawn by a hash, so
//! that the first refusals come when some 80 % are taken: with signatures of 5 minutes and 30
//! seconds, at 630 signed requests per second and Envoy; with one minute, at 3,400. Other sites
//! have other cells, and notice nothing. Ask only about requests with a valid signature: then
//! nobody but the consumers of a site can fill its cells.

use sha2::{Digest as _, Sha256};

use crate::id::SiteId;
use crate::limit::Cells;

/// The cells of a site. Their names are never given back, as shared data knows no delete: they have
/// to be few.
pub const CELLS: u16 = 1024;
/// The most nonces in one cell: 4 KB, which Envoy copies twice for each signed request.
pub const CELL_NONCES_MAX: usize = 256;
/// The most nonces that a site remembers.
pub const NONCES_MAX: usize = CELLS as usize * CELL_NONCES_MAX;
/// The most attempts at a write that conflicts. Each conflict means that another worker got
/// through, so that this many in a row mean that something is wrong.
pub const TRIES_MAX: u32 = 64;

/// The bytes of a nonce's tag. Two nonces with the same one would be taken for the same: one in
/// 2^96.
const TAG_LEN: usize = 12;
/// A tag, and the end in whole seconds since the Unix epoch, big-endian.
const ENTRY_LEN: usize = TAG_LEN + 4;

/// The answer about a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// It is new, and remembered from now on.
    Accepted,
    /// It was accepted before, or cannot be told from one that was.
    Replayed,
    /// It cannot be remembered: the cell is full, is unreadable, or changes all the time.
    NoRoom,
}

/// Accepts a nonce once. `until_ms` is the time from which the signature is refused for its age
/// ([`crate::signature::Verified::accepted_until_ms`]); both times are in milliseconds since the
/// Unix epoch.
///
/// Call it last of all checks, for a request whose signature holds.
pub fn accept(
    cells: &mut impl Cells,
    site: SiteId,
    keyid: &str,
    nonce: &str,
    until_ms: u64,
    now_ms: u64,
) -> Outcome {
    let Ok(until_s) = u32::try_from(until_ms.div_ceil(1000)) else { return Outcome::NoRoom };
    let place = Place::of(site, keyid, nonce);
    for _ in 0..TRIES_MAX {
        let (value, cas) = match cells.read(&place.name) {
            Some((value, cas)) => (value, Some(cas)),
            None => (Vec::new(), None),
        };
        let Some(mut cell) = Cell::decode(&value) else { return Outcome::NoRoom };
        match cell.take_in(place.tag, until_s, now_ms) {
            Outcome::Accepted if cells.write(&place.name, &cell.encode(), cas) => {
                return Outcome::Accepted;
            }
            Outcome::Accepted => {}
            refused => return refused,
        }
    }
    Outcome::NoRoom
}

/// The place of a nonce.
struct Place {
    name: String,
    tag: [u8; TAG_LEN],
}

impl Place {
    fn of(site: SiteId, keyid: &str, nonce: &str) -> Self {
        let hash = Sha256::new()
            .chain_update(site.as_bytes())
            // With the length between them, no two pairs give the same bytes.
            .chain_update((keyid.len() as u64).to_be_bytes())
            .chain_update(keyid)
            .chain_update(nonce)
            .finalize();
        let [high, low, rest @ ..] = <[u8; 32]>::from(hash);
        let cell = u16::from_be_bytes([high, low]) % CELLS;
        let mut tag = [0; TAG_LEN];
        for (place, byte) in tag.iter_mut().zip(rest) {
            *place = byte;
        }
        Self { name: format!("n/{site}/{cell:03x}"), tag }
    }
}

/// The nonces of a cell. Its bytes: the floor (4, big-endian), then the entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Cell {
    /// The latest end of a nonce that was dropped, in seconds since the Unix epoch.
    floor_s: u32,
    entries: Vec<([u8; TAG_LEN], u32)>,
}

impl Cell {
    /// Reads the bytes of a cell; none at all are an empty one. `None` for bytes that
    /// [`Cell::encode`] cannot have written: its nonces are not known, so that nothing can be
    /// accepted.
    fn decode(value: &[u8]) -> Option<Self> {
        if value.is_empty() {
            return Some(Self::default());
        }
        let (floor, entries) = value.split_first_chunk::<4>()?;
        let (entries, rest) = entries.as_chunks::<ENTRY_LEN>();
        if !rest.is_empty() || entries.len() > CELL_NONCES_MAX {
            return None;
        }
        let entries = entries.iter().map(|entry| {
            let (tag, end) = entry.split_first_chunk::<TAG_LEN>()?;
            Some((*tag, u32::from_be_bytes(end.try_into().ok()?)))
        });
        Some(Self { floor_s: u32::from_be_bytes(*floor), entries: entries.collect::<Option<_>>()? })
    }

    fn encode(&self) -> Vec<u8> {
        let mut value = Vec::with_capacity(4 + self.entries.len() * ENTRY_LEN);
        value.extend_from_slice(&self.floor_s.to_be_bytes());
        for (tag, until_s) in &self.entries {
            value.extend_from_slice(tag);
            value.extend_from_slice(&until_s.to_be_bytes());
        }
        value
    }

    fn take_in(&mut self, tag: [u8; TAG_LEN], until_s: u32, now_ms: u64) -> Outcome {
        let mut floor_s = self.floor_s;
        self.entries.retain(|(_, until_s)| {
            let live = u64::from(*until_s) * 1000 > now_ms;
            if !live {
                floor_s = floor_s.max(*until_s);
            }
            live
        });
        self.floor_s = floor_s;
        if until_s <= floor_s || self.entries.iter().any(|(known, _)| *known == tag) {
            return Outcome::Replayed;
        }
        if self.entries.len() == CELL_NONCES_MAX {
            return Outcome::NoRoom;
        }
        self.entries.push((tag, until_s));
        Outcome::Accepted
    }
}

#[cfg(test)]
#[path = "nonce_tests.rs"]
mod tests;
