//! The owner of a counter as a keyed hash, so that nobody can choose values that meet.

use std::fmt;

use siphasher::sip128::SipHasher13;

use super::cells::Place;

/// Hexadecimal digits of a counter's cell: [`super::CELLS`].
const CELL_DIGITS: u32 = 5;

/// Hexadecimal digits of a cell with slots of tenants: 65,536 cells, for some ten thousand tenants
/// in an Envoy.
const SLOTS_CELL_DIGITS: u32 = 4;

/// The most counters that a limit has for values from an open set (client addresses, headers,
/// claims). Values beyond that share: with 400 active addresses a given one shares with some other
/// in one case of ten. It bounds the room that a flood of invented values can take, 4,096 * 52
/// bytes and as many of 33 million places, for each limit; and a flood that fills them all is at
/// once held to 4,096 times the limit.
pub const OPEN_SUBJECTS: u64 = 4_096;

/// The secret of an Envoy process that all its hashes of subjects and places are keyed with. All
/// VMs of a process need the same one; it is drawn at random when the first of them starts.
#[derive(Clone, Copy)]
pub struct Seed {
    /// A hash for each kind of thing, with a key of its own: they need not be told apart by what is
    /// hashed.
    subjects: SipHasher13,
    places: SipHasher13,
    slots: SipHasher13,
    /// For the places in a VM's own tables.
    mix: (u64, u64),
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(redacted)")
    }
}

impl Seed {
    /// A seed of 16 random bytes.
    pub fn new(key: [u8; 16]) -> Self {
        let keys = SipHasher13::new_with_key(&key);
        let derived = |name: &[u8]| SipHasher13::new_with_key(&keys.hash(name).as_bytes());
        let mix = keys.hash(b"table");
        Self {
            subjects: derived(b"subject"),
            places: derived(b"place"),
            slots: derived(b"slots"),
            mix: (mix.h1 | 1, mix.h2 | 1),
        }
    }

    /// The subject of a value from a closed set, such as the id of a consumer or a key. Never 0,
    /// which stands for "one counter for all".
    pub fn subject(&self, value: &[u8]) -> u64 {
        self.subjects.hash(value).h1.max(1)
    }

    /// The subject of a value that a client may choose: one of [`OPEN_SUBJECTS`] for each limit,
    /// never 0.
    pub fn open_subject(&self, limit: u64, value: &[u8]) -> u64 {
        self.subject(&[&limit.to_le_bytes(), value].concat()) % OPEN_SUBJECTS + 1
    }

    /// Returns the place of the counter of a limit and subject.
    pub(super) fn place(&self, limit: u64, subject: u64) -> Place {
        let hash = self.places.hash(&(u128::from(limit) << 64 | u128::from(subject)).to_le_bytes());
        Place { name: cell_name("l/", CELL_DIGITS, hash.h1 ^ hash.h2), tag: hash.as_bytes() }
    }

    /// The name and the tag of the slots of a tenant.
    pub(crate) fn slots_place(&self, tenant: &[u8; 16]) -> (String, [u8; 16]) {
        let hash = self.slots.hash(tenant);
        (cell_name("g/", SLOTS_CELL_DIGITS, hash.h1 ^ hash.h2), hash.as_bytes())
    }

    /// A quick keyed hash of two words for a VM's own tables. Words come from hashes, and cannot be
    /// chosen one by one.
    pub(crate) fn quick(&self, a: u64, b: u64) -> u64 {
        let product = u128::from(a ^ self.mix.0) * u128::from(b ^ self.mix.1);
        #[expect(clippy::cast_possible_truncation, reason = "both halves are used")]
        let folded = (product as u64) ^ ((product >> 64) as u64);
        folded
    }
}

/// The name of one of `16 ^ digits` cells.
fn cell_name(prefix: &str, digits: u32, hash: u64) -> String {
    let mut name = String::with_capacity(8);
    name.push_str(prefix);
    for digit in 0..digits {
        let nibble = u32::try_from(hash >> (4 * digit) & 0xf).unwrap_or(0);
        name.extend(char::from_digit(nibble, 16));
    }
    name
}

#[cfg(test)]
#[path = "subject_tests.rs"]
mod tests;
