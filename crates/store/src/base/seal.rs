//! Secrets at rest: those that the gateway itself needs again are sealed under a key that is not in
//! the database.
//!
//! The cipher is ChaCha20-Poly1305 (RFC 8439) with a random nonce of 96 bits, which precedes the
//! sealed bytes. Secrets are few and hardly ever written, far below the 2^32 at which random nonces
//! become a risk. The place of a secret is authenticated with it, so that a sealed secret that is
//! copied to another row, or another tenant, does not open there.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead as _, AeadCore as _, KeyInit as _, OsRng, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use hkdf::Hkdf;
use policy::desired::Secret;
use policy::id::TenantId;
use sha2::Sha256;
use thiserror::Error;
use uuid::Uuid;

use crate::base::error::StoreError;

const KEY_LEN: usize = 32;
const NONCE_LEN: usize = 12;
/// The most bytes read of a key file: more than its 65, so that a longer file is seen to be wrong.
const MAX_FILE_BYTES: u64 = 128;

/// The platform's key, which seals secrets. With it and the database, all secrets are open.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretsKey([u8; KEY_LEN]);

/// The reason for which a key cannot be used. No text of it tells anything of the file's content.
#[derive(Debug, Error)]
pub enum SecretsKeyError {
    /// The file cannot be read.
    #[error("the secrets key file {} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Others than its owner can read or write the file.
    #[error(
        "the secrets key file {} has mode {mode:04o}: only its owner may have access (chmod 600)",
        path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The content is no key.
    #[error(
        "the secrets key file {} has to hold 64 hexadecimal digits and a newline \
         (openssl rand -hex 32)",
        path.display()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
    },
}

impl SecretsKey {
    /// Takes the 32 bytes of a key.
    pub fn new(bytes: [u8; KEY_LEN]) -> Self {
        Self(bytes)
    }

    /// Reads a key file: 64 hexadecimal digits and a newline, accessible to its owner alone.
    ///
    /// # Errors
    /// [`SecretsKeyError`]; the program should end with it.
    pub fn read(path: &Path) -> Result<Self, SecretsKeyError> {
        let unreadable = |source| SecretsKeyError::Unreadable { path: path.to_owned(), source };
        let file = File::open(path).map_err(unreadable)?;
        let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(SecretsKeyError::Exposed { path: path.to_owned(), mode });
        }
        let mut text = Vec::new();
        file.take(MAX_FILE_BYTES).read_to_end(&mut text).map_err(unreadable)?;
        Self::from_hex(text.strip_suffix(b"\n").unwrap_or(&text))
            .ok_or_else(|| SecretsKeyError::Malformed { path: path.to_owned() })
    }

    fn from_hex(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; KEY_LEN];
        let (pairs, rest) = text.as_chunks::<2>();
        if pairs.len() != KEY_LEN || !rest.is_empty() {
            return None;
        }
        let digit =
            |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Some(Self(bytes))
    }

    /// Seals bytes that lie outside the database. The context names them, and begins as no table's
    /// name does; it is authenticated, so that the bytes open nowhere else.
    ///
    /// # Errors
    /// Only for more bytes than the cipher takes: 256 GiB.
    pub fn seal_bytes(&self, context: &[u8], bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
        let nonce = ChaCha20Poly1305::generate_nonce(&mut OsRng);
        let sealed =
            self.cipher().encrypt(&nonce, Payload { msg: bytes, aad: context }).map_err(|_| {
                StoreError::Invalid { field: "secret", reason: "it cannot be sealed".to_owned() }
            })?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// Opens bytes sealed for this context. `None` if they were sealed with another key, or for
    /// another context, or were changed.
    pub fn open_bytes(&self, context: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
        self.cipher().decrypt(Nonce::from_slice(nonce), Payload { msg: sealed, aad: context }).ok()
    }

    /// Derives a key for a purpose and an owner (RFC 5869): it tells nothing of this key or of
    /// other derived keys.
    pub fn derive(&self, purpose: &[u8], owner: &[u8]) -> [u8; KEY_LEN] {
        let mut derived = [0; KEY_LEN];
        // The length fits: SHA-256 can be expanded to 255 times its own.
        let _ = Hkdf::<Sha256>::new(Some(purpose), &self.0).expand(owner, &mut derived);
        derived
    }

    /// Seals a secret for its place.
    pub(crate) fn seal(&self, place: Place, secret: &Secret) -> Result<Vec<u8>, StoreError> {
        self.seal_bytes(&place.aad(), &secret.0)
    }

    /// Opens a secret of a place. `None` if it was sealed with another key, or for another place,
    /// or was changed.
    pub(crate) fn open(&self, place: Place, sealed: &[u8]) -> Option<Secret> {
        self.open_bytes(&place.aad(), sealed).map(Secret)
    }

    fn cipher(&self) -> ChaCha20Poly1305 {
        ChaCha20Poly1305::new(Key::from_slice(&self.0))
    }
}

impl fmt::Debug for SecretsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretsKey(redacted)")
    }
}

/// The row of a sealed secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) table: &'static str,
    pub(crate) tenant: TenantId,
    pub(crate) row: Uuid,
}

impl Place {
    /// The name of the table, then 32 bytes: no two places have the same.
    fn aad(self) -> Vec<u8> {
        [self.table.as_bytes(), self.tenant.as_bytes(), self.row.as_bytes()].concat()
    }
}

#[cfg(test)]
#[path = "seal_tests.rs"]
mod tests;
