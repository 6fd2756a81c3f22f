//! The vectors of Project Wycheproof that apply: see `tests/vectors/wycheproof/README.md`.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::*;
use crate::settings::Algorithm;

macro_rules! vectors {
    ($name:literal) => {
        serde_json::from_str::<Value>(include_str!(concat!(
            "../../../tests/vectors/wycheproof/",
            $name,
            ".json"
        )))
        .expect("vectors")
        .as_array()
        .expect("groups")
    };
}

/// Tokens that are called valid, and are not in the one spelling that RFC 7515 section 2 allows.
const MISSPELT: [u64; 2] = [372, 373];

/// Tokens that are called valid, and say PS384 where their key says PS256. A key's `alg` is the use
/// that its issuer means (RFC 7517 section 4.4), and it is held to here.
const OTHER_ALGORITHM: [u64; 2] = [346, 350];

/// Of the tests of `json_web_signature_test.json`, those that are not kept: why, and how many there
/// are by their numbers.
const LEFT_OUT: [(&str, &[RangeInclusive<u64>], u64); 5] = [
    (
        "RS256 with a changed PKCS #1 padding (flag ModifiedPadding): rs256.json has these changes",
        &[46..=258],
        213,
    ),
    (
        "PS256, PS384 and PS512 with a changed encoding (flag ModifiedSignature): ps256, ps384 and \
         ps512.json have these",
        &[276..=286, 289..=311, 324..=324, 329..=330],
        37,
    ),
    ("ES512, which no issuer can ask for", &[347..=347, 351..=351], 2),
    ("the token of 357 again, byte for byte", &[367..=367, 370..=370], 2),
    ("a signature of 768 bytes: 379 to 384 are of wrong lengths, too", &[385..=385], 1),
];

/// The tests of that file.
const TOKENS: u64 = 401;

/// Returns true if keys, of which a single symmetric one is taken for the shared secret, signed a
/// token. Its payload does not matter.
fn signed(keys: &[&Value], jws: &str) -> bool {
    let secret = match keys {
        [key] if key["kty"] == "oct" => {
            URL_SAFE_NO_PAD.decode(key["k"].as_str().expect("a secret")).expect("base64url")
        }
        _ => Vec::new(),
    };
    let mut algorithms =
        vec!["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];
    algorithms.extend(["HS256", "HS384", "HS512"]);
    let issuer =
        wire::Issuer { jwks: json!({ "keys": keys }).to_string(), secret, ..issuer(&algorithms) };
    let issuer = Issuer::of(&issuer).expect("an issuer");
    Compact::parse(jws.as_bytes())
        .is_ok_and(|token| issuer.check_signature(&token, &mut check_here).is_ok())
}

fn holds(test: &Value, keys: &[&Value]) {
    let id = test["tcId"].as_u64().expect("a number");
    let valid =
        test["result"] == "valid" && !MISSPELT.contains(&id) && !OTHER_ALGORITHM.contains(&id);
    assert_eq!(
        signed(keys, test["jws"].as_str().expect("a token")),
        valid,
        "{id}: {}",
        test["comment"]
    );
}

#[test]
fn every_token_is_kept_or_left_out_for_a_reason() {
    let number = |test: &Value| test["tcId"].as_u64().expect("a number");
    let mut known = BTreeSet::new();
    for group in vectors!("json_web_signature") {
        known.extend(group["tests"].as_array().expect("tests").iter().map(number));
    }
    println!("{} tokens are kept", known.len());
    assert_eq!(known.len(), 146);
    for (reason, ranges, count) in LEFT_OUT {
        let numbers: Vec<_> = ranges.iter().cloned().flatten().collect();
        println!("{count} are not: {reason}");
        assert_eq!(numbers.len() as u64, count, "{reason}");
        for number in numbers {
            assert!(known.insert(number), "{number} is kept, or left out twice");
        }
    }
    assert!(known.into_iter().eq(1..=TOKENS));
}

#[test]
fn tokens_are_told_apart() {
    for group in vectors!("json_web_signature") {
        for test in group["tests"].as_array().expect("tests") {
            holds(test, &[&group["key"]]);
        }
    }
}

#[test]
fn keys_are_told_apart() {
    for group in vectors!("json_web_key") {
        let keys: Vec<_> = group["keys"].as_array().expect("keys").iter().collect();
        holds(&group["tests"][0], &keys);
    }
}

fn hex(value: &Value) -> Vec<u8> {
    let hex = value.as_str().expect("hex digits");
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex digits"))
        .collect()
}

/// All signatures of a file whose keys can be used; how many of them are right. What is merely
/// acceptable is refused.
fn signatures(groups: &[Value], algorithm: Algorithm) -> usize {
    let mut right = 0;
    for group in groups {
        let keys = jwk::keys(&json!({ "keys": [group["jwk"]] }).to_string());
        let Some(key) = jwk::candidates(&keys, None, algorithm).next() else {
            panic!("a key of {} cannot be used", group["file"]);
        };
        for test in group["tests"].as_array().expect("tests") {
            let (message, signature) = (hex(&test["message"]), hex(&test["signature"]));
            let operation = Operation { key, algorithm, message: &message, signature: &signature };
            let valid = test["result"] == "valid";
            assert_eq!(check_here(&operation), valid, "{} {}", group["file"], test["tcId"]);
            right += usize::from(valid);
        }
    }
    right
}

#[test]
fn rsa_with_pkcs1_padding_is_right() {
    assert_eq!(signatures(vectors!("rs256"), Algorithm::RS256), 17);
    assert_eq!(signatures(vectors!("rs384"), Algorithm::RS384), 7);
    assert_eq!(signatures(vectors!("rs512"), Algorithm::RS512), 7);
}

#[test]
fn rsa_with_pss_padding_is_right() {
    assert_eq!(signatures(vectors!("ps256"), Algorithm::PS256), 63);
    assert_eq!(signatures(vectors!("ps384"), Algorithm::PS384), 95);
    assert_eq!(signatures(vectors!("ps512"), Algorithm::PS512), 132);
}

#[test]
fn ecdsa_is_right() {
    assert_eq!(signatures(vectors!("es256"), Algorithm::ES256), 173);
    assert_eq!(signatures(vectors!("es384"), Algorithm::ES384), 193);
}

#[test]
fn eddsa_is_right() {
    assert_eq!(signatures(vectors!("eddsa"), Algorithm::EdDSA), 88);
}

/// Secrets that are shorter than the hash, and tags that are cut, are right nowhere else than here,
/// and never used.
#[test]
fn hmac_is_right() {
    for (groups, algorithm, len) in [
        (vectors!("hs256"), Algorithm::HS256, 32),
        (vectors!("hs384"), Algorithm::HS384, 48),
        (vectors!("hs512"), Algorithm::HS512, 64),
    ] {
        let mut right = 0;
        for test in groups.iter().flat_map(|group| group["tests"].as_array().expect("tests")) {
            let (secret, tag) = (hex(&test["secret"]), hex(&test["signature"]));
            let valid = test["result"] == "valid" && secret.len() >= len && tag.len() == len;
            let verdict = secret::Secret::of(&secret)
                .is_some_and(|secret| secret.check(algorithm, &hex(&test["message"]), &tag));
            assert_eq!(verdict, valid, "{algorithm:?} {}", test["tcId"]);
            right += usize::from(valid);
        }
        assert!(right > 5, "{algorithm:?}: {right}");
    }
}
