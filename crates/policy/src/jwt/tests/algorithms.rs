//! The choice of the algorithm, and nothing else.

use super::*;

const ALL: [&str; 12] = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA", "HS256",
    "HS384", "HS512",
];

#[test]
fn every_algorithm_works() {
    for algorithm in ALL {
        assert_eq!(
            verdict(&issuer(&[algorithm]), token(algorithm)).map(|_| ()),
            Ok(()),
            "{algorithm}"
        );
    }
}

#[test]
fn a_token_of_another_algorithm_is_refused() {
    for algorithm in ALL {
        let others: Vec<_> = ALL.into_iter().filter(|other| *other != algorithm).collect();
        assert_eq!(
            verdict(&issuer(&others), token(algorithm)).unwrap_err(),
            Rejected::Algorithm,
            "{algorithm}"
        );
    }
}

/// The signature stays, and the header names another algorithm that the issuer uses, too.
#[test]
fn a_signature_is_not_taken_for_one_of_another_algorithm() {
    let issuer = issuer(&ALL);
    for algorithm in ALL {
        for other in ALL.into_iter().filter(|other| *other != algorithm) {
            let header = URL_SAFE_NO_PAD.encode(json!({ "alg": other }).to_string());
            let (_, rest) = token(algorithm).split_once('.').unwrap();
            let refusal = verdict(&issuer, &format!("{header}.{rest}")).unwrap_err();
            assert!(
                matches!(refusal, Rejected::Signature | Rejected::Key),
                "{algorithm} as {other}: {refusal}"
            );
        }
    }
}

#[test]
fn no_algorithm_is_no_algorithm() {
    let issuer = issuer(&ALL);
    for name in [
        json!("none"),
        json!("None"),
        json!("nOnE"),
        json!(""),
        json!("rs256"),
        json!("HS1"),
        json!("ES512"),
    ] {
        let header = URL_SAFE_NO_PAD.encode(json!({ "alg": name }).to_string());
        let payload = URL_SAFE_NO_PAD.encode(claims().to_string());
        for signature in ["", "AAAA"] {
            let token = format!("{header}.{payload}.{signature}");
            assert_eq!(verdict(&issuer, &token).unwrap_err(), Rejected::Algorithm, "{name}");
        }
    }
    for header in
        [json!({}), json!({ "alg": null }), json!({ "alg": ["EdDSA"] }), json!({ "alg": 1 })]
    {
        let token = sign_texts(&header.to_string(), &claims().to_string());
        assert_eq!(verdict(&issuer, &token).unwrap_err(), Rejected::Malformed, "{header}");
    }
}

/// The public keys of the issuer, in the forms in which attackers have used them as secrets of
/// HS256.
#[test]
fn a_public_key_is_no_secret() {
    let confused = MADE["public_key_as_secret"].as_array().unwrap();
    assert!(confused.len() > 10);
    for token in confused {
        let token = token.as_str().unwrap();
        assert_eq!(
            verdict(&issuer(&["RS256", "ES256", "EdDSA"]), token).unwrap_err(),
            Rejected::Algorithm
        );
        let with_both = wire::Issuer { secret: Vec::new(), ..issuer(&ALL) };
        assert_eq!(verdict(&with_both, token).unwrap_err(), Rejected::Key);
        assert_eq!(verdict(&issuer(&ALL), token).unwrap_err(), Rejected::Signature);
    }
}

#[test]
fn a_secret_has_to_be_as_long_as_the_hash() {
    for (algorithm, len) in [("HS256", 32), ("HS384", 48), ("HS512", 64)] {
        let sign = |secret: &[u8]| {
            let message = format!(
                "{}.{}",
                URL_SAFE_NO_PAD.encode(json!({ "alg": algorithm }).to_string()),
                URL_SAFE_NO_PAD.encode(claims().to_string())
            );
            use jwt_simple::algorithms::{HS256Key, HS384Key, HS512Key, MACLike as _};
            let tag = match algorithm {
                "HS256" => HS256Key::from_bytes(secret).authentication_tag(message.as_bytes()),
                "HS384" => HS384Key::from_bytes(secret).authentication_tag(message.as_bytes()),
                _ => HS512Key::from_bytes(secret).authentication_tag(message.as_bytes()),
            };
            format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
        };
        let secret = vec![0x5a; len];
        let with = |secret: &[u8]| wire::Issuer { secret: secret.to_vec(), ..issuer(&[algorithm]) };
        assert_eq!(verdict(&with(&secret), &sign(&secret)).map(|_| ()), Ok(()), "{algorithm}");
        let short = &secret[1..];
        assert_eq!(
            verdict(&with(short), &sign(short)).unwrap_err(),
            Rejected::Signature,
            "{algorithm}"
        );
        assert_eq!(verdict(&with(b""), &sign(b"")).unwrap_err(), Rejected::Key, "{algorithm}");
    }
}

/// The name that RFC 9864 gives to EdDSA on this curve.
#[test]
fn ed25519_is_eddsa() {
    let token = sign_texts(r#"{"alg":"Ed25519"}"#, &claims().to_string());
    assert_eq!(verdict(&issuer(&["EdDSA"]), &token).map(|_| ()), Ok(()));
    let x = &jwk("ed25519")["x"];
    let keys = json!({
        "keys": [{ "alg": "Ed25519", "kty": "OKP", "crv": "Ed25519", "x": x }]
    });
    let issuer = changed(|issuer| issuer.jwks = keys.to_string());
    assert_eq!(verdict(&issuer, &sign(&claims())).map(|_| ()), Ok(()));
}

/// A function that checks signatures elsewhere gets what Envoy needs, and is asked only when all
/// else is right.
#[test]
fn what_is_not_checked_here_is_ready_for_envoy() {
    for (algorithm, native) in
        ALL.into_iter().zip([true, true, true, false, false, false, true, true, false])
    {
        let issuers = Issuers::decode(SITE, &[issuer(&[algorithm])]);
        let mut asked = 0;
        let verified = verify(&issuers, token(algorithm).as_bytes(), NOW_MS, |operation| {
            asked += 1;
            assert_eq!(operation.for_envoy().is_some(), native, "{algorithm}");
            true
        });
        assert!(verified.is_ok() && asked == 1, "{algorithm}");
        let refused = verify(&issuers, token(algorithm).as_bytes(), NOW_MS, |_| false);
        assert_eq!(refused.unwrap_err(), Rejected::Signature, "{algorithm}");
        let late = verify(&issuers, token(algorithm).as_bytes(), NOW_MS * 2, |_| {
            unreachable!("it has expired")
        });
        assert_eq!(late.unwrap_err(), Rejected::Expired);
    }
    assert!(envoy_agrees(&[8, 1]));
    for answer in [&[][..], &[8, 0], &[8], b"true", &[18, 4, b'f', b'a', b'i', b'l']] {
        assert!(!envoy_agrees(answer), "{answer:?}");
    }
}
