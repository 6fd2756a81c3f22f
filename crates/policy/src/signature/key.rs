//! The keys that signatures are checked with.

use std::fmt;

use ed25519_compact::{PublicKey, Signature};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// The shortest shared secret, in bytes: that of the hash, as RFC 2104 section 3 advises.
pub const MIN_HMAC_KEY_LEN: usize = 32;
/// The longest shared secret, in bytes. More than the 64 of a hash block are hashed down, and add
/// no strength.
pub const MAX_HMAC_KEY_LEN: usize = 128;

/// A signature algorithm (RFC 9421 section 3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// `hmac-sha256`, section 3.3.3.
    HmacSha256,
    /// `ed25519`, section 3.3.6.
    Ed25519,
}

impl Algorithm {
    /// The name in IANA's registry of HTTP signature algorithms.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HmacSha256 => "hmac-sha256",
            Self::Ed25519 => "ed25519",
        }
    }

    /// Reads the registered name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "hmac-sha256" => Some(Self::HmacSha256),
            "ed25519" => Some(Self::Ed25519),
            _ => None,
        }
    }
}

/// A key, with the one algorithm that it is for: a public key can never be taken for a shared
/// secret. Its `Debug` shows the algorithm alone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key<'k>(Material<'k>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Material<'k> {
    Hmac(&'k [u8]),
    Ed25519(&'k [u8; 32]),
}

impl<'k> Key<'k> {
    /// A key of these bytes: a shared secret of [`MIN_HMAC_KEY_LEN`] to [`MAX_HMAC_KEY_LEN`], or
    /// the 32 of a public key (RFC 8032 section 5.1.5). `None` for any other length.
    pub fn new(algorithm: Algorithm, bytes: &'k [u8]) -> Option<Self> {
        let material = match algorithm {
            Algorithm::HmacSha256 => {
                let fits = (MIN_HMAC_KEY_LEN..=MAX_HMAC_KEY_LEN).contains(&bytes.len());
                Material::Hmac(fits.then_some(bytes)?)
            }
            Algorithm::Ed25519 => Material::Ed25519(bytes.try_into().ok()?),
        };
        Some(Self(material))
    }

    /// Returns true if a signature can ever be the key's: the bytes of a public key have to be a
    /// point that is not of small order. It is for callers that store keys; verification checks it
    /// again.
    pub fn is_sound(&self) -> bool {
        match self.0 {
            Material::Hmac(_) => true,
            Material::Ed25519(bytes) => PublicKey::new(*bytes).validate().is_ok(),
        }
    }

    /// The algorithm of the key.
    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            Material::Hmac(_) => Algorithm::HmacSha256,
            Material::Ed25519(_) => Algorithm::Ed25519,
        }
    }

    /// Returns true if the signature is the key's over this base. The comparison of a MAC takes the
    /// same time wherever it differs.
    pub(super) fn matches(&self, base: &[u8], signature: &[u8]) -> bool {
        match self.0 {
            Material::Hmac(secret) => Hmac::<Sha256>::new_from_slice(secret)
                .is_ok_and(|mac| mac.chain_update(base).verify_slice(signature).is_ok()),
            Material::Ed25519(bytes) => Signature::from_slice(signature)
                .is_ok_and(|signature| PublicKey::new(*bytes).verify(base, &signature).is_ok()),
        }
    }
}

impl fmt::Debug for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}, redacted)", self.algorithm().as_str())
    }
}
