//! Public keys out of a JWK Set (RFC 7517), and which of them a token may mean.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::algorithms::{
    ECDSAP256PublicKeyLike as _, ECDSAP384PublicKeyLike as _, ES256PublicKey, ES384PublicKey,
    RS256PublicKey, RSAPublicKeyLike as _,
};
use superboring::pkey::{PKey, Public};

use super::compact::algorithm_named;
use super::der;
use super::json::Json;
use crate::settings::Algorithm;

/// The most keys of a set that are looked at. Issuers publish two or three; those with a key for
/// each customer, some tens.
pub const MAX_KEYS: usize = 64;
/// The most keys that are tried for a token that does not name its key: each costs a whole
/// verification.
const MAX_TRIED_KEYS: usize = 4;
/// RFC 7518 section 3.3: a key of 2048 bits or larger has to be used.
const MIN_RSA_BITS: usize = 2048;
/// The largest modulus: twice the bits are four times the work for each token.
const MAX_RSA_BITS: usize = 4096;
/// The members that only a private or a symmetric JWK has: RFC 7518 sections 6.2.2, 6.3.2 and
/// 6.4.1, RFC 8037 section 2, and `priv` of the key type AKP. A key that is published with one is
/// no longer secret, and is not used.
pub const PRIVATE_MEMBERS: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/// A public key of an issuer.
pub struct PublicKey {
    kid: Option<Box<str>>,
    /// The only algorithm that it is for, if its JWK says so.
    only: Option<Algorithm>,
    pub(super) material: Material,
    /// As SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7) in DER, if it is of a kind that Envoy
    /// verifies with.
    pub(super) spki: Box<[u8]>,
}

pub(super) enum Material {
    Rsa { key: Box<PKey<Public>>, len: usize },
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    Ed25519(ed25519_compact::PublicKey),
}

/// The usable keys of a set. Keys that cannot be used are left out: unknown types and curves, keys
/// that are not for signatures, weak or malformed ones, private ones.
pub(super) fn keys(set: &str) -> Vec<PublicKey> {
    let set = Json::parse(set.as_bytes());
    match set.as_ref().and_then(|set| set.get("keys")) {
        Some(Json::List(keys)) => keys.iter().take(MAX_KEYS).filter_map(PublicKey::of).collect(),
        _ => Vec::new(),
    }
}

/// Returns true if a JWK Set has a key that verifies tokens of one of these algorithms, as the
/// filter sees it.
pub fn has_key_for(set: &str, algorithms: &[Algorithm]) -> bool {
    keys(set).iter().any(|key| algorithms.iter().any(|algorithm| key.fits(*algorithm)))
}

/// The keys to try for a token: the one it names, or, if it names none, the first few that fit.
/// None if two that fit have the name: which is meant cannot be known then.
pub(super) fn candidates<'k>(
    keys: &'k [PublicKey],
    kid: Option<&str>,
    algorithm: Algorithm,
) -> impl Iterator<Item = &'k PublicKey> {
    let fitting =
        move |key: &&PublicKey| key.fits(algorithm) && (kid.is_none() || key.kid.as_deref() == kid);
    let ambiguous = kid.is_some() && keys.iter().filter(fitting).nth(1).is_some();
    keys.iter().filter(fitting).take(if ambiguous { 0 } else { MAX_TRIED_KEYS })
}

impl PublicKey {
    fn of(jwk: &Json) -> Option<Self> {
        if PRIVATE_MEMBERS.iter().any(|member| jwk.get(member).is_some()) || !is_for_verifying(jwk)
        {
            return None;
        }
        let kid = match jwk.get("kid") {
            None => None,
            Some(kid) => Some(kid.as_text()?.into()),
        };
        let only = match jwk.get("alg") {
            None => None,
            Some(name) => Some(algorithm_named(name.as_text()?)?),
        };
        let (material, spki) =
            match (jwk.get("kty")?.as_text()?, jwk.get("crv").and_then(Json::as_text)) {
                ("RSA", _) => rsa(&bytes(jwk, "n")?, &bytes(jwk, "e")?)?,
                ("EC", Some("P-256")) => {
                    let point = point(jwk, 32)?;
                    let key = ES256PublicKey::from_bytes(&point).ok()?;
                    (Material::P256(*key.public_key().as_ref()), der::p256_public_key(&point))
                }
                ("EC", Some("P-384")) => {
                    let point = point(jwk, 48)?;
                    let key = ES384PublicKey::from_bytes(&point).ok()?;
                    (Material::P384(*key.public_key().as_ref()), der::p384_public_key(&point))
                }
                ("OKP", Some("Ed25519")) => (
                    Material::Ed25519(
                        ed25519_compact::PublicKey::from_slice(&bytes(jwk, "x")?).ok()?,
                    ),
                    Vec::new(),
                ),
                _ => return None,
            };
        let key = Self { kid, only, material, spki: spki.into() };
        (only.is_none_or(|only| key.fits(only))).then_some(key)
    }

    /// Returns true if the key's type is that of the algorithm, and its JWK does not say that it is
    /// for another one.
    fn fits(&self, algorithm: Algorithm) -> bool {
        use Algorithm::{
            ES256, ES384, EdDSA, HS256, HS384, HS512, PS256, PS384, PS512, RS256, RS384, RS512,
        };
        let of_type = match algorithm {
            RS256 | RS384 | RS512 | PS256 | PS384 | PS512 => {
                matches!(self.material, Material::Rsa { .. })
            }
            ES256 => matches!(self.material, Material::P256(_)),
            ES384 => matches!(self.material, Material::P384(_)),
            EdDSA => matches!(self.material, Material::Ed25519(_)),
            // Public keys are public: none is ever a secret.
            HS256 | HS384 | HS512 => false,
        };
        of_type && self.only.is_none_or(|only| only == algorithm)
    }
}

/// RFC 7517 sections 4.2 and 4.3.
fn is_for_verifying(jwk: &Json) -> bool {
    let by_use = jwk.get("use").is_none_or(|purpose| purpose.as_text() == Some("sig"));
    let by_operations = jwk.get("key_ops").is_none_or(|operations| match operations {
        Json::List(operations) => {
            operations.iter().any(|operation| operation.as_text() == Some("verify"))
        }
        _ => false,
    });
    by_use && by_operations
}

fn bytes(jwk: &Json, member: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(jwk.get(member)?.as_text()?).ok()
}

/// The point of a curve with coordinates of so many bytes, uncompressed (SEC 1 section 2.3.3).
fn point(jwk: &Json, len: usize) -> Option<Vec<u8>> {
    let (x, y) = (bytes(jwk, "x")?, bytes(jwk, "y")?);
    (x.len() == len && y.len() == len).then(|| [&[4][..], &x, &y].concat())
}

fn rsa(modulus: &[u8], exponent: &[u8]) -> Option<(Material, Vec<u8>)> {
    let modulus = without_leading_zeros(modulus);
    let exponent = without_leading_zeros(exponent);
    let unused_bits = usize::try_from(modulus.first()?.leading_zeros()).ok()?;
    let bits = (modulus.len() * 8).checked_sub(unused_bits)?;
    // An exponent of 1 would make every text its own signature; even ones belong to no key.
    let exponent_is_usable = exponent.last()? % 2 == 1 && exponent != [1];
    if !(MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) || !exponent_is_usable {
        return None;
    }
    let key = RS256PublicKey::from_components(modulus, exponent).ok()?;
    let key = PKey::from_rsa(key.public_key().as_ref().clone()).ok()?;
    Some((
        Material::Rsa { key: Box::new(key), len: modulus.len() },
        der::rsa_public_key(modulus, exponent),
    ))
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}
