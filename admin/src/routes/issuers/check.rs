//! What an issuer has to be beyond its own checks: what depends on the secret that is kept apart, and on this service.

use axum::http::Uri;
use policy::settings::{Algorithm, Issuer};
use serde_json::Value;

use super::secret::{SharedSecret, least_bytes};
use crate::check::Check;

/// Members of a JWK that are private: RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1, RFC 8037 section 2; `priv` is that of the
/// key type AKP.
const PRIVATE: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/// What the check of an issuer is about.
pub(super) struct Subject<'a> {
    /// The issuer as it is to be.
    pub issuer: &'a Issuer,
    /// The secret that the client sends along.
    pub secret: Option<&'a SharedSecret>,
    /// How long the secret that is kept already is at least, in bytes; 0 if there is none.
    pub kept_bytes: usize,
    /// Whether `jwks_uri` may be an http URL.
    pub allow_http: bool,
}

impl Subject<'_> {
    /// Notes all that is wrong.
    pub(super) fn check(&self, check: &mut Check) {
        check.faults("", self.issuer);
        if let Some(uri) = &self.issuer.jwks_uri {
            self.uri(uri, check);
        }
        if let Some(jwks) = &self.issuer.jwks {
            keys(jwks, &self.issuer.algorithms, check);
        }
        for (claim, value) in &self.issuer.required_claims {
            if has_nul(value) {
                check.refuse(format!("required_claims.{claim}"), "must not have the character NUL");
            }
        }
        self.secret(check);
    }

    fn uri(&self, uri: &str, check: &mut Check) {
        let scheme = uri.parse::<Uri>().ok().and_then(|uri| uri.host().and(uri.scheme_str().map(str::to_owned)));
        match scheme.as_deref() {
            Some("https") => {}
            Some("http") if self.allow_http => {}
            Some("http") => {
                check.refuse("jwks_uri", "must be an https URL: whoever is on the way could put other keys there")
            }
            _ => check.refuse("jwks_uri", "must be an https URL"),
        }
    }

    fn secret(&self, check: &mut Check) {
        let least = least_bytes(&self.issuer.algorithms);
        match self.secret {
            Some(_) if least == 0 => check.refuse("shared_secret", "is for HS256, HS384 and HS512 only"),
            Some(secret) => {
                if let Some(fault) = secret.fault(&self.issuer.algorithms) {
                    check.refuse("shared_secret", fault);
                }
            }
            None if self.kept_bytes >= least => {}
            None => {
                check.refuse("shared_secret", format!("is missing: the algorithms need one of {least} bytes at least"))
            }
        }
    }
}

/// Keys that are private, that cannot be stored, or of which none fits.
fn keys(jwks: &Value, algorithms: &[Algorithm], check: &mut Check) {
    if has_nul(jwks) {
        check.refuse("jwks", "must not have the character NUL");
    }
    let keys = jwks.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut private = false;
    for (index, key) in keys.iter().enumerate() {
        let here = format!("jwks.keys[{index}]");
        if !key.get("kty").is_some_and(Value::is_string) {
            check.refuse(&here, "must be a JSON Web Key: an object with `kty` (RFC 7517 section 4)");
        }
        for member in PRIVATE.into_iter().filter(|member| key.get(member).is_some()) {
            private = true;
            check.refuse(
                format!("{here}.{member}"),
                "is a part of a private or secret key: give public keys, and replace this one",
            );
        }
    }
    // A secret key fits nothing here, and the message about it says more.
    let fits = |key: &Value| algorithms.iter().any(|algorithm| is_for(key, *algorithm));
    if !private && !keys.is_empty() && !algorithms.is_empty() && !keys.iter().any(fits) {
        check.refuse("jwks", "has no key for any of the algorithms");
    }
}

/// Whether a key is of the type and on the curve of an algorithm (RFC 7518 section 3.1, RFC 8037 section 3.1).
fn is_for(key: &Value, algorithm: Algorithm) -> bool {
    let member = |name| key.get(name).and_then(Value::as_str).unwrap_or_default();
    let (key_type, curve) = (member("kty"), member("crv"));
    match algorithm {
        Algorithm::RS256
        | Algorithm::RS384
        | Algorithm::RS512
        | Algorithm::PS256
        | Algorithm::PS384
        | Algorithm::PS512 => key_type == "RSA",
        Algorithm::ES256 => key_type == "EC" && curve == "P-256",
        Algorithm::ES384 => key_type == "EC" && curve == "P-384",
        Algorithm::EdDSA => key_type == "OKP" && curve == "Ed25519",
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => false,
    }
}

/// Whether a text or a name in it has the character NUL, which PostgreSQL cannot hold.
fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
