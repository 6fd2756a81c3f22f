//! No text makes anything panic, and no text that was changed passes.

use proptest::prelude::*;

use super::*;

const ALL: [&str; 12] = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA", "HS256",
    "HS384", "HS512",
];

static ISSUERS: LazyLock<Issuers> = LazyLock::new(|| Issuers::decode(SITE, &[issuer(&ALL)]));

fn refused(token: &[u8]) -> bool {
    verify(&ISSUERS, token, NOW_MS, check_here).is_err()
}

/// Every bit of the text of a token whose checks are fast.
#[test]
fn every_bit_counts() {
    for algorithm in ["HS256", "EdDSA"] {
        let token = token(algorithm).as_bytes();
        assert!(!refused(token));
        for bit in 0..token.len() * 8 {
            let mut changed = token.to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(refused(&changed), "{algorithm}: bit {bit}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_flipped_bit_is_noticed(
        algorithm in 0..ALL.len(),
        part in 0..3_usize,
        at in any::<prop::sample::Index>(),
        bit in 0..8_u8,
    ) {
        let token = token(ALL[algorithm]);
        let start: usize = token.split('.').take(part).map(|part| part.len() + 1).sum();
        let len = token.split('.').nth(part).unwrap().len();
        let mut changed = token.as_bytes().to_vec();
        changed[start + at.index(len)] ^= 1 << bit;
        prop_assert!(refused(&changed));
    }

    #[test]
    fn a_flipped_bit_of_a_signature_is_noticed(
        algorithm in 0..ALL.len(),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u8,
    ) {
        let (message, signature) = token(ALL[algorithm]).rsplit_once('.').unwrap();
        let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let at = at.index(signature.len());
        signature[at] ^= 1 << bit;
        let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
        prop_assert!(refused(token.as_bytes()));
    }

    #[test]
    fn a_signature_of_another_length_is_refused(algorithm in 0..ALL.len(), len in 0..600_usize) {
        let (message, signature) = token(ALL[algorithm]).rsplit_once('.').unwrap();
        let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        prop_assume!(len != signature.len());
        signature.resize(len, 0);
        let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
        prop_assert!(refused(token.as_bytes()));
    }
}

proptest! {
    #[test]
    fn bytes_are_refused(token in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(refused(&token));
    }

    #[test]
    fn parts_are_refused(
        header in ".{0,60}",
        payload in ".{0,120}",
        signature in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let [header, payload] = [header, payload].map(|part| URL_SAFE_NO_PAD.encode(part));
        let token = format!("{header}.{payload}.{}", URL_SAFE_NO_PAD.encode(signature));
        prop_assert!(refused(token.as_bytes()));
    }

    /// Claims of all shapes under a right signature: they pass or not, and what passes can be asked
    /// for.
    #[test]
    fn claims_of_all_shapes_are_read(
        name in "iss|sub|aud|exp|nbf|iat|scope|realm",
        value in json_value(),
    ) {
        let verdict = verdict(&issuer(&["EdDSA"]), &sign_with(&name, value));
        if let Ok(verified) = verdict {
            prop_assert!(verified.is_valid(NOW_MS));
            prop_assert!(verified.claim(&name).is_none_or(|claim| claim.len() < MAX_TOKEN_LEN));
        }
    }

    #[test]
    fn keys_of_all_shapes_are_read(
        kid in "rsa|p256|p384|ed25519",
        member in "kty|crv|n|e|x|y|alg|use|key_ops|kid|d",
        value in json_value(),
    ) {
        let mut key = jwk(&kid);
        key[member] = value;
        let set = json!({ "keys": [key] }).to_string();
        prop_assert!(jwk::keys(&set).len() <= 1);
    }

    #[test]
    fn sets_of_all_shapes_are_read(set in ".{0,200}") {
        prop_assert!(jwk::keys(&set).is_empty());
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(|truth| json!(truth)),
        any::<i64>().prop_map(|number| json!(number)),
        any::<u64>().prop_map(|number| json!(number)),
        any::<f64>().prop_map(|number| json!(number)),
        ".{0,20}".prop_map(|text| json!(text)),
        prop::collection::vec(any::<u8>(), 0..70)
            .prop_map(|bytes| json!(URL_SAFE_NO_PAD.encode(bytes))),
    ];
    leaf.prop_recursive(3, 20, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|items| json!(items)),
            prop::collection::btree_map(".{0,5}", inner, 0..5).prop_map(|members| json!(members)),
        ]
    })
}
