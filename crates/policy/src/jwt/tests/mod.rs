//! Tokens as issuers sign them, and as attackers change them.

mod algorithms;
mod claims;
mod dates;
mod headers;
mod junk;
mod keys;
mod wycheproof;

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;
use crate::id::{IssuerId, Uuid};

/// A moment at which the tokens of the fixtures may be used.
const NOW_MS: u64 = 2_000_000_100_000;
const SITE: SiteId = SiteId(Uuid::from_u128(1));

/// The tokens that `generate.py` beside it made: see there.
static MADE: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../tests/vectors/jwt/tokens.json"))
        .expect("the fixtures")
});

/// The claims of the tokens of the fixtures.
fn claims() -> Value {
    MADE["claims"].clone()
}

fn token(algorithm: &str) -> &'static str {
    MADE["tokens"][algorithm].as_str().expect("a token for each algorithm")
}

/// The JWK of the fixtures with this `kid`.
fn jwk(kid: &str) -> Value {
    let keys = MADE["jwks"]["keys"].as_array().expect("a JWK Set");
    keys.iter().find(|key| key["kid"] == kid).expect("a key with this name").clone()
}

/// The issuer of the fixtures, with all its keys, for these algorithms.
fn issuer(algorithms: &[&str]) -> wire::Issuer {
    let symmetric = algorithms.iter().any(|algorithm| algorithm.starts_with("HS"));
    wire::Issuer {
        id: Uuid::from_u128(7).as_bytes().to_vec(),
        issuer: "https://login.example.com/".to_owned(),
        algorithms: algorithms.iter().map(|algorithm| (*algorithm).to_owned()).collect(),
        jwks: MADE["jwks"].to_string(),
        secret: if symmetric { secret() } else { Vec::new() },
        leeway_s: 30,
        consumer_claim: "sub".to_owned(),
        require_consumer: true,
        scope_claim: "scope".to_owned(),
        ..wire::Issuer::default()
    }
}

/// The secret of the fixtures: 64 bytes.
fn secret() -> Vec<u8> {
    let hex = MADE["secret"].as_str().expect("a secret");
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex digits"))
        .collect()
}

/// The issuer of the fixtures for tokens of [`sign`], changed.
fn changed(change: impl FnOnce(&mut wire::Issuer)) -> wire::Issuer {
    let mut issuer = issuer(&["EdDSA"]);
    change(&mut issuer);
    issuer
}

fn verdict(issuer: &wire::Issuer, token: &str) -> Result<Verified, Rejected> {
    verdict_at(issuer, token, NOW_MS)
}

fn verdict_at(issuer: &wire::Issuer, token: &str, now_ms: u64) -> Result<Verified, Rejected> {
    verify(
        &Issuers::decode(SITE, std::slice::from_ref(issuer)),
        token.as_bytes(),
        now_ms,
        check_here,
    )
}

/// A token of these JSON texts, signed with the Ed25519 key of the fixtures.
fn sign_texts(header: &str, payload: &str) -> String {
    let seed = URL_SAFE_NO_PAD
        .decode(MADE["private"]["d"].as_str().expect("a private key"))
        .expect("base64url");
    let pair = ed25519_compact::KeyPair::from_seed(
        ed25519_compact::Seed::from_slice(&seed).expect("32 bytes"),
    );
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = pair.sk.sign(&message, None);
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(*signature))
}

/// A token of these claims.
fn sign(claims: &Value) -> String {
    sign_texts(r#"{"alg":"EdDSA"}"#, &claims.to_string())
}

/// A token of the claims of the fixtures with one changed, or taken away by `null`.
fn sign_with(claim: &str, value: Value) -> String {
    let mut claims = claims();
    if value.is_null() {
        claims.as_object_mut().expect("an object").remove(claim);
    } else {
        claims[claim] = value;
    }
    sign(&claims)
}

#[test]
fn a_token_tells_what_its_claims_say() {
    let issuer = changed(|issuer| {
        issuer.upstream_headers =
            vec![wire::ClaimHeader { header: "x-user".to_owned(), claim: "sub".to_owned() }];
    });
    let verified = verdict(&issuer, &sign(&claims())).expect("a right token");
    assert_eq!(verified.issuer(), IssuerId(Uuid::from_u128(7)));
    let subject = crate::key::Digest::of_subject(SITE, "https://login.example.com/", "app-1");
    assert_eq!(verified.subject(), Some(&subject));
    assert!(verified.require_consumer());
    assert_eq!(
        verified.scopes().iter().map(|scope| &**scope).collect::<Vec<_>>(),
        ["orders:read", "orders:write"]
    );
    assert_eq!(verified.upstream_headers(), [("x-user".into(), "app-1".into())]);
    assert_eq!(verified.claim("exp").as_deref(), Some("2000000600"));
    assert_eq!(verified.claim("aud"), None);
    assert_eq!(
        (verified.valid_from_ms(), verified.valid_until_ms()),
        (1_999_999_970_000, 2_000_000_630_000)
    );
    assert!(verified.is_valid(NOW_MS));
}

#[test]
fn nothing_personal_is_shown() {
    let verified = verdict(&issuer(&["HS256"]), token("HS256")).expect("a right token");
    let issuers = Issuers::decode(SITE, &[issuer(&["HS256"])]);
    let shown = format!("{verified:?} {issuers:?} {:?}", secret::Secret::of(b"hunter2"));
    assert!(!shown.contains("app-1") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn an_issuer_that_cannot_be_used_does_not_hurt_the_others() {
    let good = issuer(&["EdDSA"]);
    let bad = |change: fn(&mut wire::Issuer)| {
        let mut issuer =
            wire::Issuer { issuer: "https://bad.example/".to_owned(), ..issuer(&["EdDSA"]) };
        issuer.upstream_headers =
            vec![wire::ClaimHeader { header: "x-bad".to_owned(), claim: "sub".to_owned() }];
        change(&mut issuer);
        issuer
    };
    let all = [
        bad(|issuer| issuer.id.clear()),
        bad(|issuer| issuer.jwks = "{".to_owned()),
        bad(|issuer| issuer.algorithms = vec!["none".to_owned()]),
        bad(|issuer| {
            issuer.required_claims =
                vec![wire::RequiredClaim { claim: "a".to_owned(), value: "{".to_owned() }];
        }),
    ];
    for bad in all {
        let issuers = Issuers::decode(SITE, &[bad, good.clone()]);
        let check =
            |token: &str| verify(&issuers, token.as_bytes(), NOW_MS, check_here).map(|_| ());
        assert_eq!(check(&sign(&claims())), Ok(()));
        assert!(check(&sign_with("iss", json!("https://bad.example/"))).is_err());
        assert_eq!(
            issuers.upstream_headers(),
            ["x-bad".into()],
            "clients must not set it all the same"
        );
    }
    assert!(Issuers::decode(SITE, &[]).is_empty());
}
