//! The values that claims must have, and what they give.

use super::*;

fn refusal(issuer: &wire::Issuer, claim: &str, value: Value) -> Option<Rejected> {
    verdict(issuer, &sign_with(claim, value)).err()
}

#[test]
fn the_issuer_is_compared_byte_for_byte() {
    let issuer = issuer(&["EdDSA"]);
    for name in [
        json!("https://login.example.com"),
        json!("https://LOGIN.example.com/"),
        json!("https://login.example.com/ "),
        json!("https://other.example/"),
        json!(""),
        json!(["https://login.example.com/"]),
        json!(7),
        Value::Null,
    ] {
        assert_eq!(refusal(&issuer, "iss", name.clone()), Some(Rejected::Issuer), "{name}");
    }
}

/// Each issuer signs for itself alone.
#[test]
fn an_issuer_cannot_speak_for_another() {
    let other = wire::Issuer {
        issuer: "https://other.example/".to_owned(),
        jwks: json!({ "keys": [jwk("rsa")] }).to_string(),
        algorithms: vec!["RS256".to_owned(), "EdDSA".to_owned()],
        ..issuer(&[])
    };
    let issuers = Issuers::decode(SITE, &[issuer(&["EdDSA"]), other]);
    let token = sign_with("iss", json!("https://other.example/"));
    assert_eq!(verify(&issuers, token.as_bytes(), NOW_MS, check_here).unwrap_err(), Rejected::Key);
}

#[test]
fn the_audience_is_a_text_or_a_list_of_texts() {
    let issuer = changed(|issuer| {
        issuer.audiences = vec!["https://api.example.com/".to_owned(), "two".to_owned()]
    });
    for audience in [json!("two"), json!(["two"]), json!(["one", "two"]), json!([1, "two"])] {
        assert_eq!(refusal(&issuer, "aud", audience.clone()), None, "{audience}");
    }
    for audience in [
        Value::Null,
        json!("one"),
        json!("twotwo"),
        json!("Two"),
        json!(""),
        json!([]),
        json!(["one"]),
        json!([["two"]]),
        json!({ "two": "two" }),
        json!(2),
        json!("one two"),
    ] {
        assert_eq!(
            refusal(&issuer, "aud", audience.clone()),
            Some(Rejected::Audience),
            "{audience}"
        );
    }
    for audience in [Value::Null, json!("one"), json!(2)] {
        assert_eq!(
            refusal(&changed(|_| {}), "aud", audience),
            None,
            "without audiences it is not looked at"
        );
    }
}

#[test]
fn required_claims_have_their_values() {
    let issuer = |claim: &str, value: Value| {
        changed(|issuer| {
            issuer.required_claims =
                vec![wire::RequiredClaim { claim: claim.to_owned(), value: value.to_string() }];
        })
    };
    let claims = |tier: Value| {
        let mut claims = claims();
        claims["realm"] = json!({ "roles": tier });
        sign(&claims)
    };
    for (value, found, right) in [
        (json!("gold"), json!("gold"), true),
        (json!("gold"), json!(["silver", "gold"]), true),
        (json!("gold"), json!("silver"), false),
        (json!("gold"), json!("gold "), false),
        (json!("gold"), json!(["silver"]), false),
        (json!("gold"), json!([["gold"]]), false),
        (json!("gold"), json!({ "gold": true }), false),
        (json!(1), json!(1), true),
        (json!(1), json!(1.0), true),
        (json!(1), json!("1"), false),
        (json!(1), json!(true), false),
        (json!(true), json!(true), true),
        (json!(true), json!("true"), false),
        (json!(true), json!(false), false),
        (Value::Null, json!("anything"), true),
        (Value::Null, json!([]), true),
        (Value::Null, Value::Null, false),
    ] {
        let verdict = verdict(&issuer("realm.roles", value.clone()), &claims(found.clone()));
        assert_eq!(verdict.is_ok(), right, "{value} in {found}");
        assert!(right || verdict.unwrap_err() == Rejected::Claims);
    }
    for missing in ["realm.role", "realms", "realm.roles.x", "roles"] {
        let verdict = verdict(&issuer(missing, Value::Null), &claims(json!("gold")));
        assert_eq!(verdict.unwrap_err(), Rejected::Claims, "{missing}");
    }
}

#[test]
fn a_consumer_is_named_by_a_scalar() {
    let named = |issuer: &wire::Issuer, value: Value| {
        verdict(issuer, &sign_with("sub", value)).map(|verified| verified.subject)
    };
    let subject =
        |name: &str| Some(crate::key::Digest::of_subject(SITE, "https://login.example.com/", name));
    let required = changed(|_| {});
    let optional = changed(|issuer| issuer.require_consumer = false);
    for (value, name) in [(json!("app-2"), "app-2"), (json!(42), "42"), (json!(" x "), " x ")] {
        assert_eq!(named(&required, value.clone()), Ok(subject(name)), "{value}");
    }
    for value in [Value::Null, json!(""), json!(1.5), json!(["app-1"]), json!({ "a": 1 })] {
        assert_eq!(named(&required, value.clone()), Err(Rejected::Consumer), "{value}");
        assert_eq!(named(&optional, value.clone()), Ok(None), "{value}");
    }
    let nested = changed(|issuer| issuer.consumer_claim = "act.client".to_owned());
    assert_eq!(
        verdict(&nested, &sign_with("act", json!({ "client": "c" }))).unwrap().subject,
        subject("c")
    );
}

#[test]
fn scopes_are_a_text_or_a_list() {
    let scopes = |value: Value| {
        let verified = verdict(&issuer(&["EdDSA"]), &sign_with("scope", value)).unwrap();
        verified.scopes().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(scopes(json!("b a  b ")), ["a", "b"]);
    assert_eq!(scopes(json!(["b", "a", 1, "b"])), ["a", "b"]);
    assert_eq!(scopes(json!(["a b"])), ["a b"], "one scope, which no route can ask for");
    for none in [Value::Null, json!(""), json!(7), json!({ "a": true }), json!([["a"]])] {
        assert!(scopes(none.clone()).is_empty(), "{none}");
    }
}

#[test]
fn headers_carry_only_what_cannot_be_misread() {
    let issuer = changed(|issuer| {
        issuer.upstream_headers =
            vec![wire::ClaimHeader { header: "x-claim".to_owned(), claim: "c".to_owned() }];
    });
    let header = |value: Value| {
        let verified = verdict(&issuer, &sign_with("c", value)).unwrap();
        verified.upstream_headers().first().map(|(name, value)| {
            assert_eq!(&**name, "x-claim");
            value.to_string()
        })
    };
    assert_eq!(header(json!("Zoë, of Ghent")).as_deref(), Some("Zoë, of Ghent"));
    assert_eq!(header(json!(-7)).as_deref(), Some("-7"));
    assert_eq!(header(json!(true)).as_deref(), Some("true"));
    assert_eq!(header(json!(["a", 1, false])).as_deref(), Some("a,1,false"));
    for none in [
        Value::Null,
        json!(1.5),
        json!({ "a": 1 }),
        json!("a\r\nx-role: admin"),
        json!("a\0"),
        json!("\u{7f}"),
        json!("\u{85}"),
        json!(["a", "b\n"]),
        json!(["a,admin"]),
        json!(["a", ["b"]]),
        json!(["a", null]),
    ] {
        assert_eq!(header(none.clone()), None, "{none}");
    }
}

#[test]
fn claims_are_read_strictly() {
    for payload in [
        r#"{"iss":"https://login.example.com/","exp":2000000600,"sub":"a","sub":"b"}"#,
        r#"{"iss":"https://login.example.com/","exp":2000000600,"x":{"a":1,"a":1}}"#,
        r#"{"iss":"https://login.example.com/","exp":2000000600,"sub":"a"}{}"#,
        r#"[{"iss":"https://login.example.com/","exp":2000000600}]"#,
        "\"text\"",
        "",
        "x",
    ] {
        let token = sign_texts(r#"{"alg":"EdDSA"}"#, payload);
        assert_eq!(
            verdict(&issuer(&["EdDSA"]), &token).unwrap_err(),
            Rejected::Malformed,
            "{payload}"
        );
    }
    for bomb in ["[".repeat(5000), r#"{"a":"#.repeat(1000)] {
        let payload =
            format!(r#"{{"iss":"https://login.example.com/","exp":2000000600,"x":{bomb}"#);
        let token = sign_texts(r#"{"alg":"EdDSA"}"#, &payload);
        assert_eq!(verdict(&issuer(&["EdDSA"]), &token).unwrap_err(), Rejected::Malformed);
    }
}
