//! JSON Web Tokens of one issuer, by ES256 (RFC 7518, section 3.4).

use anyhow::{Result, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};

pub(super) const ISSUER: &str = "https://login.bench.example";

/// 1 January 2100: no token expires during a run.
const EXPIRES_AT_S: u64 = 4_102_444_800;

/// The tokens, and the JWK Set that verifies them.
#[derive(Debug)]
pub(super) struct Tokens {
    pub(super) tokens: Vec<String>,
    pub(super) jwks: Value,
}

/// Returns the `sub` of the token with this number.
pub(super) fn subject(number: usize) -> String {
    format!("subject-{number}")
}

pub(super) fn make(count: usize) -> Result<Tokens> {
    let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
    let failed = |_| anyhow!("the system has no randomness");
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).map_err(failed)?;
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random)
        .map_err(|error| anyhow!("a key of our own is refused: {error}"))?;
    // An uncompressed point: 4, then both coordinates of 32 bytes.
    let point = pair.public_key().as_ref();
    let coordinate =
        |from: usize| URL_SAFE_NO_PAD.encode(point.get(from..from + 32).unwrap_or_default());
    let jwk = json!({
        "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "bench",
        "x": coordinate(1), "y": coordinate(33),
    });
    let header =
        URL_SAFE_NO_PAD.encode(json!({ "alg": "ES256", "typ": "JWT", "kid": "bench" }).to_string());
    let token = |number: usize| -> Result<String> {
        let claims = json!({
            "iss": ISSUER, "sub": subject(number), "aud": "bench",
            "iat": 1_700_000_000, "exp": EXPIRES_AT_S,
        });
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = pair.sign(&random, signed.as_bytes()).map_err(failed)?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    };
    let tokens = (0..count).map(token).collect::<Result<_>>()?;
    Ok(Tokens { tokens, jwks: json!({ "keys": [jwk] }) })
}
