//! The part of a JWK Set (RFC 7517 section 5) that is taken: the public members of the keys that
//! can verify a signature.

use std::sync::Arc;

use policy::jwt::{MAX_KEYS, PRIVATE_MEMBERS};
use policy::settings::MAX_JWKS_BYTES;
use serde_json::{Map, Value};
use thiserror::Error;

/// The longest member of a key, in bytes: the modulus of an RSA key of 16,384 bits has 2,731.
const MAX_MEMBER_LEN: usize = 4096;

/// The members that a verifier reads (RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2).
/// All others stay behind.
const MEMBERS: [&str; 9] = ["kty", "use", "alg", "kid", "crv", "x", "y", "n", "e"];
/// The members that a key of each type needs. Symmetric keys (`oct`) are not read from a URL:
/// everybody who can read one could sign.
const TYPES: [(&str, &[&str]); 3] =
    [("RSA", &["n", "e"]), ("EC", &["crv", "x", "y"]), ("OKP", &["crv", "x"])];

/// A set as it is pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySet {
    /// The JWK Set, in JSON, with nothing in it but the members that verify signatures.
    pub text: Arc<str>,
    /// The number of its keys. With none, no token of the issuer is accepted; an issuer may publish
    /// an empty set.
    pub keys: usize,
    /// The number of keys that were left out, because they are not for verifying signatures, no
    /// longer secret, incomplete, or of an unknown type.
    pub left_out: usize,
    /// True if a key was left out because the issuer published a private member of it. The issuer
    /// should be told.
    pub leaked: bool,
}

/// Why an answer is no JWK Set. No text of it quotes the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SetError {
    /// It is not JSON.
    #[error("the answer is not JSON")]
    NotJson,
    /// It is JSON of another form.
    #[error("the answer is no JWK Set: it has no list `keys` of objects")]
    NotASet,
    /// It has too many keys.
    #[error("the set has {found} keys; at most {MAX_KEYS} are taken")]
    TooManyKeys {
        /// The number of keys.
        found: usize,
    },
    /// The part that would be pushed is too large.
    #[error(
        "the set has {found} bytes without what is left out; at most {MAX_JWKS_BYTES} are taken"
    )]
    TooLarge {
        /// The number of bytes.
        found: usize,
    },
}

impl KeySet {
    /// Reads the body of an answer. The same keys in the same order give the same text, even if
    /// they are written in other ways.
    pub fn read(body: &[u8]) -> Result<Self, SetError> {
        let value: Value = serde_json::from_slice(body).map_err(|_| SetError::NotJson)?;
        let keys = value.get("keys").and_then(Value::as_array).ok_or(SetError::NotASet)?;
        if keys.len() > MAX_KEYS {
            return Err(SetError::TooManyKeys { found: keys.len() });
        }
        let keys: Vec<_> =
            keys.iter().map(Value::as_object).collect::<Option<_>>().ok_or(SetError::NotASet)?;
        let taken: Vec<_> = keys.iter().filter_map(|key| public_part(key)).collect();
        let (found, left_out) = (taken.len(), keys.len() - taken.len());
        let leaked = keys.iter().any(|key| is_private(key));
        let text = Value::from(Map::from_iter([("keys".to_owned(), taken.into())])).to_string();
        if text.len() > MAX_JWKS_BYTES {
            return Err(SetError::TooLarge { found: text.len() });
        }
        Ok(Self { text: text.into(), keys: found, left_out, leaked })
    }
}

fn is_private(key: &Map<String, Value>) -> bool {
    PRIVATE_MEMBERS.iter().any(|member| key.contains_key(*member))
}

/// Returns true if a key is for verifying signatures, as far as it says (RFC 7517 sections 4.2 and
/// 4.3).
fn is_for_verifying(key: &Map<String, Value>) -> bool {
    let by_operations = key.get("key_ops").is_none_or(|operations| {
        operations
            .as_array()
            .is_some_and(|operations| operations.iter().any(|operation| operation == "verify"))
    });
    by_operations && key.get("use").is_none_or(|usage| usage == "sig")
}

/// A key with the members that a verifier reads, if it can verify signatures.
fn public_part(key: &Map<String, Value>) -> Option<Value> {
    let text = |member: &str| key.get(member).and_then(Value::as_str);
    let (_, needed) = TYPES.iter().find(|(kty, _)| text("kty") == Some(*kty))?;
    if is_private(key)
        || !is_for_verifying(key)
        || !needed.iter().all(|member| text(member).is_some())
    {
        return None;
    }
    let mut taken = Map::new();
    for member in MEMBERS {
        match key.get(member) {
            None => {}
            Some(Value::String(value)) if value.len() <= MAX_MEMBER_LEN => {
                taken.insert(member.to_owned(), Value::String(value.clone()));
            }
            Some(_) => return None,
        }
    }
    Some(taken.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: &Value) -> Result<KeySet, SetError> {
        KeySet::read(value.to_string().as_bytes())
    }

    fn rsa(kid: &str) -> Value {
        json!({"kty": "RSA", "kid": kid, "n": "AQAB", "e": "AQAB"})
    }

    #[test]
    fn the_public_members_are_taken_and_nothing_else() {
        let mut key = rsa("1");
        key["x5c"] = json!(["..."]);
        key["use"] = json!("sig");
        key["key_ops"] = json!(["verify"]);
        let set = read(&json!({"keys": [key], "other": "hunter2"})).unwrap();
        assert_eq!(
            &*set.text,
            r#"{"keys":[{"e":"AQAB","kid":"1","kty":"RSA","n":"AQAB","use":"sig"}]}"#
        );
        assert_eq!((set.keys, set.left_out, set.leaked), (1, 0, false));
    }

    #[test]
    fn a_key_whose_private_part_is_published_is_left_out() {
        for private in PRIVATE_MEMBERS {
            let mut key = rsa("1");
            key[private] = json!("hunter2");
            let set = read(&json!({"keys": [key, rsa("2")]})).unwrap();
            assert_eq!((set.keys, set.left_out, set.leaked), (1, 1, true), "{private}");
            assert!(!set.text.contains("hunter2") && set.text.contains(r#""kid":"2""#));
        }
    }

    #[test]
    fn keys_that_cannot_verify_a_signature_are_left_out() {
        let set = read(&json!({"keys": [
            rsa("1"),
            {"kty": "oct", "k": "secret"},
            {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"},
            {"kty": "RSA", "n": "AQAB", "e": "AQAB", "use": "enc"},
            {"kty": "RSA", "n": "AQAB", "e": "AQAB", "key_ops": ["encrypt"]},
            {"kty": "RSA", "n": "AQAB"},
            {"kty": "RSA", "n": 5, "e": "AQAB"},
            {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": 1},
            {"kty": "EC", "crv": "P-256", "x": "AA"},
            {"kid": "none"},
            {"kty": "OKP", "crv": "Ed25519", "x": "AA"},
            {"kty": "RSA", "n": "A".repeat(MAX_MEMBER_LEN + 1), "e": "AQAB"},
        ]}))
        .unwrap();
        assert_eq!((set.keys, set.left_out, set.leaked), (2, 10, true));
        assert!(!set.text.contains("secret"));
    }

    #[test]
    fn an_issuer_may_have_no_keys() {
        let set = read(&json!({"keys": []})).unwrap();
        assert_eq!((&*set.text, set.keys), (r#"{"keys":[]}"#, 0));
    }

    #[test]
    fn what_is_no_set_is_refused() {
        assert_eq!(KeySet::read(b"<html>"), Err(SetError::NotJson));
        assert_eq!(
            KeySet::read(&[b'['; 100_000]),
            Err(SetError::NotJson),
            "deep nesting does no harm"
        );
        for value in [
            json!([]),
            json!({}),
            json!({"keys": {}}),
            json!({"keys": ["a"]}),
            json!({"error": "down"}),
        ] {
            assert_eq!(read(&value), Err(SetError::NotASet), "{value}");
        }
        let many = vec![rsa("1"); MAX_KEYS + 1];
        assert_eq!(
            read(&json!({"keys": many})),
            Err(SetError::TooManyKeys { found: MAX_KEYS + 1 })
        );
        let large =
            vec![json!({"kty": "RSA", "n": "A".repeat(MAX_MEMBER_LEN), "e": "AQAB"}); MAX_KEYS];
        assert!(matches!(read(&json!({"keys": large})), Err(SetError::TooLarge { .. })));
    }
}
