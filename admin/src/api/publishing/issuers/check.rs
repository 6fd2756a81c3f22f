//! Checks of an issuer beyond its own: those that depend on the secret that is kept apart, and on
//! this service.

use std::collections::BTreeSet;

use axum::http::Uri;
use policy::jwt::{MAX_KEYS, PRIVATE_MEMBERS, has_key_for};
use policy::settings::{Algorithm, Issuer};
use serde_json::Value;

use super::secret::{SharedSecret, least_bytes};
use crate::forms::check::Check;

/// The subject of the check of an issuer.
pub(super) struct Subject<'a> {
    /// The issuer as it is to be.
    pub issuer: &'a Issuer,
    /// The secret that the client sends along.
    pub secret: Option<&'a SharedSecret>,
    /// The least length of the secret that is kept already, in bytes; 0 if there is none.
    pub kept_bytes: usize,
    /// True if `jwks_uri` may be an http URL.
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
        let mut headers = BTreeSet::new();
        for header in self.issuer.upstream_headers.keys() {
            if !headers.insert(header.to_ascii_lowercase()) {
                check.refuse(
                    format!("upstream_headers.{header}"),
                    "is given twice: the case does not matter",
                );
            }
        }
        self.secret(check);
    }

    fn uri(&self, uri: &str, check: &mut Check) {
        let parsed = uri.parse::<Uri>().ok().filter(has_sound_authority);
        match parsed.as_ref().and_then(Uri::scheme_str) {
            Some(_) if uri.contains('#') => check.refuse("jwks_uri", "must not have a fragment"),
            Some("https") => {}
            Some("http") if self.allow_http => {}
            Some("http") => check.refuse(
                "jwks_uri",
                "must be an https URL: on the way of http, keys can be replaced",
            ),
            _ => check.refuse("jwks_uri", "must be an https URL"),
        }
    }

    fn secret(&self, check: &mut Check) {
        let least = least_bytes(&self.issuer.algorithms);
        match self.secret {
            Some(_) if least == 0 => {
                check.refuse("shared_secret", "is for HS256, HS384 and HS512 only")
            }
            Some(secret) => {
                if let Some(fault) = secret.fault(&self.issuer.algorithms) {
                    check.refuse("shared_secret", fault);
                }
            }
            None if self.kept_bytes >= least => {}
            None => check.refuse(
                "shared_secret",
                format!("is missing: the algorithms need one of {least} bytes at least"),
            ),
        }
    }
}

/// A host, and no port or one up to 65535. User information is refused with the settings.
fn has_sound_authority(uri: &Uri) -> bool {
    let (Some(authority), Some(host)) = (uri.authority(), uri.host()) else { return false };
    let place = authority.as_str().rsplit('@').next().unwrap_or_default();
    let port = place.strip_prefix(host).and_then(|rest| rest.strip_prefix(':'));
    !host.is_empty() && (place == host || port.is_some_and(|port| port.parse::<u16>().is_ok()))
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
            check
                .refuse(&here, "must be a JSON Web Key: an object with `kty` (RFC 7517 section 4)");
        }
        for member in PRIVATE_MEMBERS.into_iter().filter(|member| key.get(member).is_some()) {
            private = true;
            check.refuse(
                format!("{here}.{member}"),
                "is a part of a private or secret key: give public keys, and replace this one",
            );
        }
    }
    if keys.len() > MAX_KEYS {
        check.refuse("jwks.keys", format!("must have {MAX_KEYS} keys at most"));
    }
    // A private key is none here, and the message about it says more.
    if !private
        && !keys.is_empty()
        && !algorithms.is_empty()
        && !has_key_for(&jwks.to_string(), algorithms)
    {
        let message = "has no usable key for any of the algorithms: a public key of their type \
                       (RSA with 2048 to 4096 bits, P-256 for ES256, P-384 for ES384, Ed25519 for \
                       EdDSA) whose `alg`, `use` and `key_ops` allow it";
        check.refuse("jwks", message);
    }
}

/// True if a text or a name in it has the character NUL, which PostgreSQL cannot hold.
fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => {
            fields.iter().any(|(name, value)| name.contains('\0') || has_nul(value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
