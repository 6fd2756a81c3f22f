//! The secret that an issuer shares with the gateway, for HMAC.

use std::fmt;

use hmac::{Hmac, Mac as _};
use sha2::{Sha256, Sha384, Sha512};

use crate::settings::Algorithm;

/// A shared secret. It is never shown.
pub(super) struct Secret(Box<[u8]>);

impl Secret {
    /// `None` for no bytes at all.
    pub(super) fn of(secret: &[u8]) -> Option<Self> {
        (!secret.is_empty()).then(|| Self(secret.into()))
    }

    /// Returns true if the tag is that of the message. A secret that is shorter than the hash has
    /// no right tag (RFC 7518 section 3.2). The comparison takes the same time wherever they
    /// differ.
    pub(super) fn check(&self, algorithm: Algorithm, message: &[u8], tag: &[u8]) -> bool {
        match algorithm {
            Algorithm::HS256 if self.0.len() >= 32 => Hmac::<Sha256>::new_from_slice(&self.0)
                .is_ok_and(|mac| mac.chain_update(message).verify_slice(tag).is_ok()),
            Algorithm::HS384 if self.0.len() >= 48 => Hmac::<Sha384>::new_from_slice(&self.0)
                .is_ok_and(|mac| mac.chain_update(message).verify_slice(tag).is_ok()),
            Algorithm::HS512 if self.0.len() >= 64 => Hmac::<Sha512>::new_from_slice(&self.0)
                .is_ok_and(|mac| mac.chain_update(message).verify_slice(tag).is_ok()),
            _ => false,
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}
