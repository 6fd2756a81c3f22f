//! Signed requests (RFC 9421).

use serde::{Deserialize, Serialize};

use super::Faults;
use crate::signature::MAX_COMPONENTS;

/// The longest time for which a signature is good, in seconds; nonces are remembered as long.
const MAX_AGE_S: u32 = 3_600;
/// The largest body whose digest is checked, in bytes. It is held in memory until it is complete,
/// so Envoy's buffers have to have this size, for every connection: an eighth of a gigabyte for 500
/// clients that are slow.
pub const MAX_BODY_BYTES: u32 = 256 * 1024;

/// The algorithm of a signing key (RFC 9421 section 3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum SigningAlgorithm {
    /// HMAC with SHA-256: the gateway makes the secret, and shows it once.
    #[serde(rename = "hmac-sha256")]
    HmacSha256,
    /// EdDSA on curve edwards25519: the consumer gives its public key.
    #[serde(rename = "ed25519")]
    Ed25519,
}

/// A site's requirements of signatures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct SignatureSettings {
    /// The components that a signature has to cover (RFC 9421 section 2), more are welcome.
    /// Default: `@method`, `@authority`, `@path`, `@query`.
    pub components: Vec<String>,
    /// The greatest age of a signature by its `created`, in seconds, 1 to 3600. Default: 300.
    pub max_age_seconds: u32,
    /// The most that `created` may be in the future, in seconds. Default: 30.
    pub skew_seconds: u32,
    /// True if a signature must have a nonce, which is accepted once. Default: true.
    pub require_nonce: bool,
    /// True if a request with a body must have a signed `Content-Digest` (RFC 9530). A digest that
    /// is there is always checked. Default: true.
    pub require_content_digest: bool,
    /// The largest body whose digest is checked, in bytes; larger ones are answered with 413.
    /// Default and most: 256 KiB.
    pub max_body_bytes: u32,
}

impl Default for SignatureSettings {
    fn default() -> Self {
        Self {
            components: ["@method", "@authority", "@path", "@query"].map(str::to_owned).to_vec(),
            max_age_seconds: 300,
            skew_seconds: 30,
            require_nonce: true,
            require_content_digest: true,
            max_body_bytes: MAX_BODY_BYTES,
        }
    }
}

impl SignatureSettings {
    pub(super) fn check(&self, faults: &mut Faults) {
        const DERIVED: [&str; 7] = [
            "@method",
            "@target-uri",
            "@authority",
            "@scheme",
            "@request-target",
            "@path",
            "@query",
        ];
        faults.each("components", &self.components, MAX_COMPONENTS, |faults, component| {
            let lower = component.bytes().all(|byte| !byte.is_ascii_uppercase());
            if component.starts_with('@') {
                if !DERIVED.contains(&component.as_str()) {
                    faults
                        .add(format!("has to be a header's name or one of {}", DERIVED.join(", ")));
                }
            } else if component.is_empty() || !lower || component.len() > 128 {
                faults.add("has to be a header's name in lower case");
            }
        });
        if self.max_age_seconds == 0 || self.max_age_seconds > MAX_AGE_S {
            faults
                .at("max_age_seconds", |faults| faults.add(format!("has to be 1 to {MAX_AGE_S}")));
        }
        if self.skew_seconds > MAX_AGE_S {
            faults
                .at("skew_seconds", |faults| faults.add(format!("has to be at most {MAX_AGE_S}")));
        }
        if self.max_body_bytes == 0 || self.max_body_bytes > MAX_BODY_BYTES {
            faults.at("max_body_bytes", |faults| {
                faults.add(format!("has to be 1 to {MAX_BODY_BYTES}"))
            });
        }
    }
}
