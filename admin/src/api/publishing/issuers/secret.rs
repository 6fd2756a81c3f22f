//! The shared secret of an issuer. It comes in, and never goes out again.

use std::fmt;

use policy::desired::Secret;
use policy::settings::Algorithm;
use serde::de::{Deserialize, Deserializer, Error};
use serde_json::Value;
use utoipa::ToSchema;

/// The most bytes of a shared secret: none is stronger than the block of its hash, 128 bytes for
/// SHA-512; some systems make long ones.
const MAX_BYTES: usize = 1_024;

/// A shared secret in clear. Its `Debug` does not show it.
#[derive(ToSchema)]
#[schema(value_type = String)]
pub(super) struct SharedSecret(String);

impl SharedSecret {
    /// The bytes, to seal them.
    pub(super) fn into_secret(self) -> Secret {
        Secret(self.0.into_bytes())
    }

    /// The fault of the secret for these algorithms: RFC 7518 section 3.2 wants a key at least as
    /// long as the hash.
    pub(super) fn fault(&self, algorithms: &[Algorithm]) -> Option<String> {
        let least = least_bytes(algorithms);
        let range = least..=MAX_BYTES;
        let good = range.contains(&self.0.len());
        (!good).then(|| format!("must have {least} to {MAX_BYTES} bytes for these algorithms"))
    }
}

/// The least bytes of a secret for these algorithms: as many as the longest hash. 0: they need
/// none.
pub(super) fn least_bytes(algorithms: &[Algorithm]) -> usize {
    let hash_bytes = |algorithm: &Algorithm| match algorithm {
        Algorithm::HS512 => 64,
        Algorithm::HS384 => 48,
        Algorithm::HS256 => 32,
        _ => 0,
    };
    algorithms.iter().map(hash_bytes).max().unwrap_or_default()
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSecret(redacted)")
    }
}

impl<'de> Deserialize<'de> for SharedSecret {
    /// Reads any value first, because the usual error for a wrong type repeats the text that was
    /// sent.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text)),
            _ => Err(D::Error::custom("must be a text")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_as_long_as_the_longest_hash() {
        for (bytes, algorithms, good) in [
            (31, vec![Algorithm::HS256], false),
            (32, vec![Algorithm::HS256], true),
            (47, vec![Algorithm::HS256, Algorithm::HS384], false),
            (48, vec![Algorithm::HS384, Algorithm::HS256], true),
            (63, vec![Algorithm::HS512], false),
            (1024, vec![Algorithm::HS512], true),
            (1025, vec![Algorithm::HS256], false),
        ] {
            assert_eq!(
                SharedSecret("s".repeat(bytes)).fault(&algorithms).is_none(),
                good,
                "{bytes} {algorithms:?}"
            );
        }
    }

    #[test]
    fn a_secret_does_not_show_itself() {
        let secret: SharedSecret = serde_json::from_str("\"hunter2\"").unwrap();
        assert_eq!(format!("{secret:?}"), "SharedSecret(redacted)");
        let error = serde_json::from_str::<SharedSecret>("[\"hunter2\"]").unwrap_err();
        assert_eq!(error.to_string(), "must be a text");
    }
}
