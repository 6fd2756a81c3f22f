//! A quick hash for maps with keys that nobody outside chooses.

use std::hash::{BuildHasher, Hasher};

use crate::scan;

/// Mixes whole words. It withstands nobody who chooses the hashed text: for ids, which the control
/// plane draws, and digests of credentials that exist.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mixer;

impl BuildHasher for Mixer {
    type Hasher = Mixed;

    fn build_hasher(&self) -> Mixed {
        Mixed(0)
    }
}

/// A hash that is being made.
#[derive(Debug)]
pub struct Mixed(u64);

/// 2^64 divided by the golden ratio, and odd: the products of neighbours lie far apart (Knuth,
/// volume 3, section 6.4).
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// A place for a text in a table of short cuts, with a key that those who choose the text do not
/// know. Texts that were found to meet would only take the short cut from each other.
pub fn place_of(text: &[u8], key: u64) -> u64 {
    let mut mixed = Mixed(key);
    let (words, rest) = text.as_chunks::<8>();
    words.iter().for_each(|word| mixed.write_u64(u64::from_le_bytes(*word)));
    mixed.write_u64(scan::short(rest));
    mixed.finish() ^ key >> 32
}

impl Hasher for Mixed {
    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(GOLDEN);
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(word.into());
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(u64::try_from(word).unwrap_or(u64::MAX));
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        for byte in rest {
            self.write_u64(u64::from(*byte));
        }
    }

    fn finish(&self) -> u64 {
        // The map takes its place from the low bits, and a product's low bits depend on few of its
        // factors' bits.
        self.0 ^ self.0 >> 32
    }
}
