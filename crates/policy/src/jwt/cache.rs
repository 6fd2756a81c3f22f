//! The tokens that were verified lately, so that one that is sent with every request is verified
//! once.

use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;

use super::Verified;
use crate::cache::Cache;
use crate::id::SiteId;

/// The most bytes that the cache of a VM holds, in both halves. A usual token takes about 3 KB with
/// what it says, so this is for about 2,700 callers at a time, at 8 MiB for each worker of Envoy.
pub const MAX_CACHE_BYTES: usize = 8 * 1024 * 1024;

/// The bytes that a place in a table, a reference count and the allocator add to an entry,
/// generously.
const OVERHEAD_BYTES: usize = 128;
/// The bytes of a token that are hashed: its end, which is the signature. A token gets here only
/// with a right one, so that nobody can make many with the same end, and a few more that do only
/// push each other out.
const HASHED_BYTES: usize = 32;

/// Verified tokens.
///
/// A token is found by the site, the version of the site's policy and all its bytes. A policy whose
/// issuers or keys changed has another version, and so takes its tokens with it.
pub struct TokenCache {
    entries: Cache<u64, Entry, BuildHasherDefault<Hashed>>,
}

struct Entry {
    site: SiteId,
    version: u64,
    token: Box<[u8]>,
    verified: Rc<Verified>,
}

impl Default for TokenCache {
    fn default() -> Self {
        Self { entries: Cache::new(MAX_CACHE_BYTES) }
    }
}

impl TokenCache {
    /// Returns the claims of a token that was verified for this version of this site; `None` if it
    /// is not known, or may not be used now. It allocates nothing.
    pub fn get(
        &mut self,
        site: SiteId,
        version: u64,
        token: &[u8],
        now_ms: u64,
    ) -> Option<Rc<Verified>> {
        let entry = self.entries.get(&hash(site, version, token))?;
        let is_it = entry.version == version && entry.site == site && same(&entry.token, token);
        (is_it && entry.verified.is_valid(now_ms)).then(|| Rc::clone(&entry.verified))
    }

    /// Keeps the answer of [`super::verify`] for this token and the issuers of this version of this
    /// site.
    pub fn insert(&mut self, site: SiteId, version: u64, token: &[u8], verified: Rc<Verified>) {
        let bytes = token.len() + verified.held_bytes() + OVERHEAD_BYTES;
        self.entries.insert(
            hash(site, version, token),
            Entry { site, version, token: token.into(), verified },
            bytes,
        );
    }

    /// The bytes that are held now, about; never more than [`MAX_CACHE_BYTES`].
    pub fn held_bytes(&self) -> usize {
        self.entries.held_bytes()
    }
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").field("held_bytes", &self.held_bytes()).finish_non_exhaustive()
    }
}

fn hash(site: SiteId, version: u64, token: &[u8]) -> u64 {
    let end = token.len().saturating_sub(HASHED_BYTES);
    let (site_high, site_low) = site.0.as_u64_pair();
    let words = [site_high, site_low, version].into_iter();
    let (end, rest) = token.get(end..).unwrap_or_default().as_chunks();
    let rest = rest.iter().fold(0, |word: u64, byte| word << 8 | u64::from(*byte));
    let end = end.iter().map(|chunk| u64::from_le_bytes(*chunk)).chain([rest]);
    words.chain(end).fold(0, mix)
}

/// Returns true if two texts are the same. WebAssembly has no instruction for that, and the
/// compiler's function for it goes byte by byte there, which for a token of a kilobyte is most of a
/// hit.
fn same(one: &[u8], other: &[u8]) -> bool {
    let ((words, rest), (other_words, other_rest)) = (one.as_chunks::<8>(), other.as_chunks::<8>());
    let same_word = |(word, other): (&[u8; 8], &[u8; 8])| {
        u64::from_le_bytes(*word) == u64::from_le_bytes(*other)
    };
    one.len() == other.len() && words.iter().zip(other_words).all(same_word) && rest == other_rest
}

/// Spreads every bit of both over the whole word, by the high and the low half of a product with an
/// odd constant, which is 2^64 divided by the golden ratio.
fn mix(hash: u64, word: u64) -> u64 {
    let product = u128::from(hash.rotate_left(23) ^ word) * 0x9e37_79b9_7f4a_7c15;
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of the product")]
    let folded = (product >> 64) as u64 ^ product as u64;
    folded
}

/// A hasher for keys that are hashes.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    /// Not called for keys of 64 bits.
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| mix(hash, u64::from(*byte)));
    }
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
