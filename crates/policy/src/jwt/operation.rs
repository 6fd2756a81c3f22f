//! The one expensive step of a verification: a signature under a public key.
//!
//! It is data, so that its owner can choose where it is done: in this module, or, far cheaper, by
//! Envoy's own cryptography (see [`Operation::for_envoy`]).

use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use prost::Message as _;
use sha2::{Digest as _, Sha256, Sha384};
use superboring::hash::MessageDigest;
use superboring::pkey::{PKey, Public};
use superboring::rsa::Padding;
use superboring::sign::{RsaPssSaltlen, Verifier};

use super::der;
use super::jwk::{Material, PublicKey};
use crate::settings::Algorithm;

/// The foreign function of Envoy that verifies signatures.
pub const ENVOY_FUNCTION: &str = "verify_signature";

/// A signature that is to be verified. The type of the key fits the algorithm.
pub struct Operation<'a> {
    pub(super) key: &'a PublicKey,
    pub(super) algorithm: Algorithm,
    pub(super) message: &'a [u8],
    pub(super) signature: &'a [u8],
}

impl Operation<'_> {
    /// Returns true if the signature has the length that algorithm and key ask for (RFC 7518
    /// sections 3.3 to 3.5, RFC 8037 section 3.1). It is checked before anything is computed.
    pub(super) fn has_right_length(&self) -> bool {
        self.signature.len()
            == match &self.key.material {
                Material::Rsa { len, .. } => *len,
                Material::P256(_) | Material::Ed25519(_) => 64,
                Material::P384(_) => 96,
            }
    }

    fn check(&self) -> bool {
        if !self.has_right_length() {
            return false;
        }
        match &self.key.material {
            Material::Rsa { key, .. } => self.check_rsa(key).unwrap_or(false),
            Material::P256(key) => {
                p256::ecdsa::Signature::from_slice(self.signature).is_ok_and(|signature| {
                    key.verify_prehash(&Sha256::digest(self.message), &signature).is_ok()
                })
            }
            Material::P384(key) => {
                p384::ecdsa::Signature::from_slice(self.signature).is_ok_and(|signature| {
                    key.verify_prehash(&Sha384::digest(self.message), &signature).is_ok()
                })
            }
            Material::Ed25519(key) => ed25519_compact::Signature::from_slice(self.signature)
                .is_ok_and(|signature| key.verify(self.message, &signature).is_ok()),
        }
    }

    fn check_rsa(&self, key: &PKey<Public>) -> Option<bool> {
        use Algorithm::{PS256, PS384, PS512, RS256, RS384, RS512};
        let (digest, padding) = match self.algorithm {
            RS256 => (MessageDigest::sha256(), Padding::PKCS1),
            RS384 => (MessageDigest::sha384(), Padding::PKCS1),
            RS512 => (MessageDigest::sha512(), Padding::PKCS1),
            PS256 => (MessageDigest::sha256(), Padding::PKCS1_PSS),
            PS384 => (MessageDigest::sha384(), Padding::PKCS1_PSS),
            PS512 => (MessageDigest::sha512(), Padding::PKCS1_PSS),
            _ => return None,
        };
        let mut verifier = Verifier::new(digest, key).ok()?;
        verifier.set_rsa_padding(padding).ok()?;
        // RFC 7518 section 3.5: the salt is as long as the hash.
        verifier.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH).ok()?;
        verifier.update(self.message).ok()?;
        verifier.verify(self.signature).ok()
    }

    /// The argument with which [`ENVOY_FUNCTION`] verifies this: `VerifySignatureArguments` of
    /// Envoy's `source/extensions/common/wasm/ext/verify_signature.proto`. Its answer is for
    /// [`envoy_agrees`].
    ///
    /// `None` for the algorithms that it does not have, which stay here: RSASSA-PSS, as it sets no
    /// padding, and EdDSA, as it insists on a hash.
    pub fn for_envoy(&self) -> Option<Vec<u8>> {
        use Algorithm::{ES256, ES384, RS256, RS384, RS512};
        let hash_function = match self.algorithm {
            RS256 | ES256 => "sha256",
            RS384 | ES384 => "sha384",
            RS512 => "sha512",
            _ => return None,
        };
        let ecdsa = matches!(self.algorithm, ES256 | ES384);
        let signature =
            if ecdsa { der::ecdsa_signature(self.signature) } else { self.signature.to_vec() };
        let arguments = VerifySignatureArguments {
            hash_function: hash_function.to_owned(),
            public_key: self.key.spki.to_vec(),
            signature,
            text: self.message.to_vec(),
        };
        Some(arguments.encode_to_vec())
    }
}

/// Returns true if the signature is right, computed in this module.
pub fn check_here(operation: &Operation<'_>) -> bool {
    operation.check()
}

/// Returns true if an answer of [`ENVOY_FUNCTION`] says that the signature is right.
pub fn envoy_agrees(answer: &[u8]) -> bool {
    VerifySignatureResult::decode(answer).is_ok_and(|answer| answer.result)
}

#[derive(Clone, PartialEq, prost::Message)]
struct VerifySignatureArguments {
    #[prost(string, tag = "1")]
    hash_function: String,
    #[prost(bytes = "vec", tag = "2")]
    public_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    signature: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    text: Vec<u8>,
}

/// Its text about the fault is not read.
#[derive(Clone, PartialEq, prost::Message)]
struct VerifySignatureResult {
    #[prost(bool, tag = "1")]
    result: bool,
}
