//! `Content-Digest` (RFC 9530): reading the field, and checking a body against it as its chunks
//! arrive.

use std::fmt;

use sfv::{BareItem, Dictionary, ListEntry, Parser};
use sha2::{Digest as _, Sha256, Sha512};
use subtle::ConstantTimeEq as _;

/// The name of the field.
pub const HEADER: &str = "content-digest";

/// The longest field value that is read, in bytes. The two digests together take about 150; the
/// rest is room for those of algorithms that are skipped.
pub const MAX_VALUE_LEN: usize = 1024;

/// The digests that a body must have.
#[derive(Clone, PartialEq, Eq)]
pub struct Expected {
    sha256: Option<[u8; 32]>,
    sha512: Option<[u8; 64]>,
}

impl Expected {
    /// Reads a `Content-Digest` field (RFC 9530 section 2). Several fields are first joined with
    /// `, ` (RFC 9651 section 3.2).
    ///
    /// `sha-256` and `sha-512` are known; others are skipped where one of these is there, as
    /// section 5 deprecates the rest. `None` if there is nothing to check: no known algorithm, a
    /// known one whose value is not a byte sequence of its length, no dictionary at all, or more
    /// than [`MAX_VALUE_LEN`] bytes.
    pub fn parse(value: &[u8]) -> Option<Self> {
        if value.len() > MAX_VALUE_LEN {
            return None;
        }
        let field: Dictionary = Parser::new(value).parse().ok()?;
        let mut expected = Self { sha256: None, sha512: None };
        for (algorithm, digest) in &field {
            match algorithm.as_str() {
                "sha-256" => expected.sha256 = Some(bytes(digest)?.try_into().ok()?),
                "sha-512" => expected.sha512 = Some(bytes(digest)?.try_into().ok()?),
                _ => {}
            }
        }
        (expected.sha256.is_some() || expected.sha512.is_some()).then_some(expected)
    }

    /// Begins to check a body.
    pub fn start(&self) -> Hasher {
        Hasher {
            sha256: self.sha256.map(|expected| (Sha256::new(), expected)),
            sha512: self.sha512.map(|expected| (Sha512::new(), expected)),
        }
    }
}

/// A digest helps somebody to guess the body, which may be secret.
impl fmt::Debug for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Expected(redacted)")
    }
}

fn bytes(entry: &ListEntry) -> Option<&[u8]> {
    match entry {
        ListEntry::Item(item) => match &item.bare_item {
            BareItem::ByteSequence(bytes) => Some(bytes),
            _ => None,
        },
        ListEntry::InnerList(_) => None,
    }
}

/// A body that is being checked. It holds a few hundred bytes for a body of any length.
#[derive(Clone)]
pub struct Hasher {
    sha256: Option<(Sha256, [u8; 32])>,
    sha512: Option<(Sha512, [u8; 64])>,
}

impl Hasher {
    /// Takes in the next chunk of the body.
    pub fn update(&mut self, chunk: &[u8]) {
        if let Some((hasher, _)) = &mut self.sha256 {
            hasher.update(chunk);
        }
        if let Some((hasher, _)) = &mut self.sha512 {
            hasher.update(chunk);
        }
    }

    /// Returns true if all digests are those of the body. The comparison takes the same time
    /// wherever they differ.
    pub fn finish(self) -> bool {
        let sha256 =
            self.sha256.is_none_or(|(hasher, expected)| hasher.finalize().ct_eq(&expected).into());
        let sha512 =
            self.sha512.is_none_or(|(hasher, expected)| hasher.finalize().ct_eq(&expected).into());
        sha256 && sha512
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher(redacted)")
    }
}

#[cfg(test)]
#[path = "digest_field_tests.rs"]
mod tests;
