//! The choice of a key from a JWK Set, and keys that are of no use.

use super::*;

/// An issuer with these keys, for these algorithms.
fn with_keys(algorithms: &[&str], keys: &[Value]) -> wire::Issuer {
    wire::Issuer { jwks: json!({ "keys": keys }).to_string(), ..issuer(algorithms) }
}

fn changed_jwk(kid: &str, member: &str, value: Value) -> Value {
    let mut jwk = jwk(kid);
    jwk[member] = value;
    jwk
}

fn sign_as(kid: &str) -> String {
    sign_texts(&json!({ "alg": "EdDSA", "kid": kid }).to_string(), &claims().to_string())
}

#[test]
fn a_key_that_is_named_is_the_one() {
    let stranger = changed_jwk("ed25519", "x", json!(URL_SAFE_NO_PAD.encode([9; 32])));
    let renamed = |kid: &str| changed_jwk("ed25519", "kid", json!(kid));
    let keys = with_keys(&["EdDSA"], &[stranger.clone(), renamed("right"), jwk("rsa")]);
    assert!(verdict(&keys, &sign_as("right")).is_ok());
    for kid in ["ed25519", "rsa", "other", ""] {
        assert!(verdict(&keys, &sign_as(kid)).is_err(), "{kid}");
    }
    let mut nameless = jwk("ed25519");
    nameless.as_object_mut().unwrap().remove("kid");
    let keys = with_keys(&["EdDSA"], &[nameless]);
    assert_eq!(verdict(&keys, &sign_as("right")).unwrap_err(), Rejected::Key);
    assert!(verdict(&keys, &sign(&claims())).is_ok());
}

#[test]
fn a_name_that_two_keys_have_names_none() {
    let twice = with_keys(&["EdDSA"], &[jwk("ed25519"), jwk("ed25519")]);
    assert_eq!(verdict(&twice, &sign_as("ed25519")).unwrap_err(), Rejected::Key);
    // Only those that fit are meant (RFC 7517 section 4.5).
    let other_type =
        with_keys(&["EdDSA"], &[changed_jwk("rsa", "kid", json!("ed25519")), jwk("ed25519")]);
    assert!(verdict(&other_type, &sign_as("ed25519")).is_ok());
}

#[test]
fn without_a_name_a_few_keys_are_tried() {
    let stranger = |at: u8| {
        let pair = ed25519_compact::KeyPair::from_seed([at; 32].into());
        json!({ "kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(*pair.pk) })
    };
    let token = sign(&claims());
    let with_strangers = |count: u8| {
        let keys: Vec<_> = (1..=count).map(stranger).chain([jwk("ed25519")]).collect();
        with_keys(&["EdDSA"], &keys)
    };
    assert!(verdict(&with_strangers(3), &token).is_ok());
    assert_eq!(verdict(&with_strangers(4), &token).unwrap_err(), Rejected::Signature);
    let issuers = Issuers::decode(SITE, &[with_strangers(40)]);
    let mut tried = 0;
    let refused = verify(&issuers, token.as_bytes(), NOW_MS, |_| {
        tried += 1;
        false
    });
    assert_eq!((refused.unwrap_err(), tried), (Rejected::Signature, 4));
}

#[test]
fn a_key_is_used_only_for_what_its_jwk_says() {
    for (member, value) in [
        ("use", json!("enc")),
        ("use", json!("SIG")),
        ("use", json!(["sig"])),
        ("key_ops", json!(["sign"])),
        ("key_ops", json!([])),
        ("key_ops", json!("verify")),
        ("alg", json!("ES256")),
        ("alg", json!("RS256")),
        ("alg", json!("HS256")),
        ("alg", json!("none")),
        ("alg", json!(1)),
        ("kid", json!(1)),
        ("kty", json!("oct")),
        ("kty", json!("EC")),
        ("kty", json!("okp")),
        ("crv", json!("Ed448")),
        ("crv", json!("X25519")),
        ("crv", json!("ed25519")),
        ("x", json!("AAAA")),
        ("x", json!(format!("{}=", jwk("ed25519")["x"].as_str().unwrap()))),
        ("x", Value::Null),
        // Private and symmetric members, with any value.
        ("d", json!("AAAA")),
        ("k", json!("AAAA")),
        ("p", json!("")),
    ] {
        let keys = with_keys(&["EdDSA"], &[changed_jwk("ed25519", member, value.clone())]);
        let refusal = verdict(&keys, &sign(&claims())).unwrap_err();
        assert_eq!(refusal, Rejected::Key, "{member}: {value}");
        let beside =
            with_keys(&["EdDSA"], &[changed_jwk("ed25519", member, value), jwk("ed25519")]);
        assert!(verdict(&beside, &sign(&claims())).is_ok(), "{member}: the others go on");
    }
    for (member, value) in [
        ("use", json!("sig")),
        ("key_ops", json!(["sign", "verify"])),
        ("alg", json!("EdDSA")),
        ("x5c", json!(["AAAA"])),
        ("unknown", json!({})),
    ] {
        let keys = with_keys(&["EdDSA"], &[changed_jwk("ed25519", member, value.clone())]);
        assert!(verdict(&keys, &sign(&claims())).is_ok(), "{member}: {value}");
    }
}

/// RSASSA-PKCS1-v1_5 and RSASSA-PSS share the type of key, not the key where it says what it is
/// for.
#[test]
fn an_rsa_key_for_one_padding_is_not_for_the_other() {
    let keys = with_keys(&["RS256", "PS256"], &[changed_jwk("rsa", "alg", json!("RS256"))]);
    assert!(verdict(&keys, token("RS256")).is_ok());
    assert_eq!(verdict(&keys, token("PS256")).unwrap_err(), Rejected::Key);
}

#[test]
fn weak_rsa_keys_are_not_used() {
    let issuer = issuer(&["RS256"]);
    assert_eq!(verdict(&issuer, MADE["weak"].as_str().unwrap()).unwrap_err(), Rejected::Key);
    for exponent in ["AQ", "Ag", "AQAA", "", "AAAA", "_____________w"] {
        let keys = with_keys(&["RS256"], &[changed_jwk("rsa", "e", json!(exponent))]);
        assert_eq!(verdict(&keys, token("RS256")).unwrap_err(), Rejected::Key, "{exponent}");
    }
    let numbers = |len: usize, last: u8| {
        let mut modulus = vec![0xff; len];
        modulus[len - 1] = last;
        json!(URL_SAFE_NO_PAD.encode(modulus))
    };
    for modulus in [numbers(255, 1), numbers(256, 2), numbers(513, 1), numbers(8192, 1), json!("")]
    {
        let keys = with_keys(&["RS256"], &[changed_jwk("rsa", "n", modulus)]);
        assert_eq!(verdict(&keys, token("RS256")).unwrap_err(), Rejected::Key);
    }
    // RFC 7518 section 6.3.1.1 speaks of implementations that put a zero in front.
    let modulus = URL_SAFE_NO_PAD.decode(jwk("rsa")["n"].as_str().unwrap()).unwrap();
    let padded = json!(URL_SAFE_NO_PAD.encode([&[0][..], &modulus].concat()));
    assert!(
        verdict(&with_keys(&["RS256"], &[changed_jwk("rsa", "n", padded)]), token("RS256")).is_ok()
    );
}

#[test]
fn points_have_to_be_on_their_curve() {
    for (kid, algorithm, other) in [("p256", "ES256", "p384"), ("p384", "ES384", "p256")] {
        for (member, value) in [
            ("x", jwk(kid)["y"].clone()),
            ("y", jwk(other)["y"].clone()),
            ("crv", jwk(other)["crv"].clone()),
            ("y", json!("")),
            ("x", json!(URL_SAFE_NO_PAD.encode([0; 32]))),
        ] {
            let keys = with_keys(&["ES256", "ES384"], &[changed_jwk(kid, member, value)]);
            assert_eq!(
                verdict(&keys, token(algorithm)).unwrap_err(),
                Rejected::Key,
                "{kid} {member}"
            );
        }
    }
}

#[test]
fn sets_that_are_none_have_no_keys() {
    for set in [
        "",
        "{}",
        "[]",
        "null",
        r#"{"keys":{}}"#,
        r#"{"keys":[]}"#,
        r#"{"keys":[1,null,"x",[],{}]}"#,
        "{\"keys\":[",
    ] {
        let issuer = changed(|issuer| issuer.jwks = set.to_owned());
        assert_eq!(verdict(&issuer, &sign(&claims())).unwrap_err(), Rejected::Key, "{set}");
    }
}
