//! The names under which a VM remembers credentials that it has looked up.
//!
//! A credential is looked up by its SHA-256, for which a warm request would pay more than for
//! anything else. So a VM remembers a record under a keyed hash of the credential, of 128 bits,
//! whose key it has drawn for itself: the credential is not kept, and nobody who does not know the
//! key can find two texts with one name, or a text with the name of somebody's key, in fewer than
//! some 2^64 and 2^128 tries. SipHash-2-4 is made for that: a pseudorandom function (Aumasson and
//! Bernstein, 2012).

use std::hash::{Hash, Hasher};

use siphasher::sip128::SipHasher24;

/// The keyed hash by which one VM names credentials.
#[derive(Clone)]
pub struct Tags(SipHasher24);

/// The name of a credential in one VM.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Tag(u64, u64);

impl Tags {
    /// The names of a VM that has drawn these random bytes.
    pub fn new(key: [u8; 16]) -> Self {
        Self(SipHasher24::new_with_key(&key))
    }

    /// The name of a credential: of a key by its text, of any other by its digest. They differ in
    /// length, so that none is taken for another.
    pub fn of(&self, credential: &[u8]) -> Tag {
        let hash = self.0.hash(credential);
        Tag(hash.h1, hash.h2)
    }
}

impl Hash for Tag {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::Tags;

    #[test]
    fn a_name_is_of_one_credential_in_one_vm() {
        let (one, other) = (Tags::new([1; 16]), Tags::new([2; 16]));
        assert!(one.of(b"tnt_live_a") == one.of(b"tnt_live_a"));
        assert!(one.of(b"tnt_live_a") != one.of(b"tnt_live_b"));
        assert!(one.of(b"tnt_live_a") != one.of(b"tnt_live_a\0"));
        assert!(one.of(b"tnt_live_a") != other.of(b"tnt_live_a"));
    }
}
