//! The form of a token, and its header.

use super::*;

fn with_header(header: &str) -> Result<(), Rejected> {
    verdict(&issuer(&["EdDSA"]), &sign_texts(header, &claims().to_string())).map(|_| ())
}

#[test]
fn extensions_that_have_to_be_understood_are_refused() {
    for extension in
        [r#""crit":["exp"]"#, r#""crit":[]"#, r#""crit":null"#, r#""b64":false"#, r#""b64":true"#]
    {
        assert_eq!(
            with_header(&format!(r#"{{"alg":"EdDSA",{extension}}}"#)),
            Err(Rejected::Critical),
            "{extension}"
        );
    }
}

#[test]
fn only_general_and_access_tokens_are_accepted() {
    for kind in ["JWT", "jwt", "at+jwt", "application/at+jwt", "application/JWT", "JOSE"] {
        assert_eq!(
            with_header(&json!({ "alg": "EdDSA", "typ": kind }).to_string()),
            Ok(()),
            "{kind}"
        );
    }
    for kind in ["logout+jwt", "dpop+jwt", "secevent+jwt", "JWE", "JOSE+JSON", ""] {
        assert_eq!(
            with_header(&json!({ "alg": "EdDSA", "typ": kind }).to_string()),
            Err(Rejected::Type),
            "{kind}"
        );
    }
    assert_eq!(with_header(r#"{"alg":"EdDSA","typ":1}"#), Err(Rejected::Malformed));
}

#[test]
fn headers_are_read_strictly() {
    for header in [
        r#"{"alg":"EdDSA","alg":"EdDSA"}"#,
        r#"{"alg":"none","alg":"EdDSA"}"#,
        r#"{"alg":"EdDSA","kid":1}"#,
        r#"{"alg":"EdDSA","kid":null}"#,
        r#"{"alg":"EdDSA"} "x""#,
        r#"["EdDSA"]"#,
        r#""EdDSA""#,
        "",
    ] {
        assert_eq!(with_header(header), Err(Rejected::Malformed), "{header}");
    }
}

/// Keys that the token brings along stay unused: these are not those of the issuer.
#[test]
fn keys_in_the_header_are_not_looked_at() {
    let pair = ed25519_compact::KeyPair::from_seed([9; 32].into());
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(*pair.pk) });
    for header in [
        json!({ "alg": "EdDSA", "jwk": jwk }),
        json!({
            "alg": "EdDSA",
            "jku": "https://attacker.example/",
            "x5c": ["AAAA"],
            "x5u": "https://attacker.example/",
        }),
    ] {
        let message = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims().to_string())
        );
        let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(*pair.sk.sign(&message, None)));
        assert_eq!(verdict(&issuer(&["EdDSA"]), &token).unwrap_err(), Rejected::Signature);
        assert_eq!(with_header(&header.to_string()), Ok(()), "the issuer may put it there");
    }
}

#[test]
fn a_token_has_three_parts_of_one_spelling() {
    let issuer = issuer(&["RS256"]);
    let token = token("RS256");
    let parts: Vec<_> = token.split('.').collect();
    let [header, payload, signature] = parts[..] else { panic!("three parts") };
    for malformed in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "a.b".to_owned(),
        header.to_owned(),
        format!("{header}.{payload}"),
        format!("{token}."),
        format!("{token}.{signature}"),
        format!("{token}.{signature}.{signature}"),
        format!("{token}="),
        format!("{token}=="),
        format!("{token} "),
        format!(" {token}"),
        format!("{token}\n"),
        format!("{header}=.{payload}.{signature}"),
        format!("{header}.{payload}\r\n.{signature}"),
        format!("{header}.{payload}.{}", signature.replace('_', "/")).replace('-', "+"),
        json!({ "payload": payload, "protected": header, "signature": signature }).to_string(),
    ] {
        assert_eq!(verdict(&issuer, &malformed).unwrap_err(), Rejected::Malformed, "{malformed}");
    }
    assert_eq!(verdict(&issuer, &format!("{header}.{payload}.")).unwrap_err(), Rejected::Signature);
    // 256 bytes leave two bits of the last character unused: the same bytes with these set are
    // another text.
    let (rest, last) = signature.split_at(signature.len() - 1);
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let place = alphabet.iter().position(|character| *character == last.as_bytes()[0]).unwrap();
    for unused in 1..4 {
        let last = char::from(alphabet[place | unused]);
        if !signature.ends_with(last) {
            let token = format!("{header}.{payload}.{rest}{last}");
            assert_eq!(verdict(&issuer, &token).unwrap_err(), Rejected::Malformed);
        }
    }
}

#[test]
fn the_length_is_bounded() {
    let of_len = |len: usize| {
        let mut claims = claims();
        let mut padding = len.saturating_sub(sign(&claims).len()) * 3 / 4;
        loop {
            claims["x"] = json!("x".repeat(padding));
            let token = sign(&claims);
            if token.len() <= len {
                return token;
            }
            padding -= 1;
        }
    };
    let longest = of_len(MAX_TOKEN_LEN);
    assert!(longest.len() > MAX_TOKEN_LEN - 4);
    assert_eq!(verdict(&issuer(&["EdDSA"]), &longest).map(|_| ()), Ok(()));
    let longer = of_len(MAX_TOKEN_LEN + 4);
    assert!(longer.len() > MAX_TOKEN_LEN);
    assert_eq!(verdict(&issuer(&["EdDSA"]), &longer).unwrap_err(), Rejected::TooLong);
}
