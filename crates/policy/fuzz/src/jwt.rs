//! Tokens of issuers, and the keys of issuers.

use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use policy::id::{SiteId, Uuid};
use policy::jwt::{Issuers, Rejected, TokenCache, Verified, check_here, verify};
use policy::wire;
use sha2::Sha256;

/// A moment at which the tokens of the corpus are valid.
const NOW_MS: u64 = 2_000_000_100_000;
const SITE: SiteId = SiteId(Uuid::from_u128(1));
/// Keys, and tokens that they signed, from the tests of `policy`.
const MADE: &str = include_str!("../../tests/vectors/jwt/tokens.json");
/// The number of changes of a token that are tried.
const CHANGES: usize = 16;

thread_local! {
    static ISSUERS: Issuers = Issuers::decode(SITE, &[issuer()]);
}

/// Lines: a token, and the claims of another. If the token verifies, which only one of the corpus
/// can, no change of it does. The claims are signed with the shared secret: they are accepted, or
/// refused for their contents.
pub fn jwt(data: &[u8]) {
    ISSUERS.with(|issuers| tokens(issuers, data));
}

fn tokens(issuers: &Issuers, data: &[u8]) {
    let (token, claims) = crate::split_line(data);
    if let Ok(verified) = verify(issuers, token, NOW_MS, check_here) {
        is_sound(&verified);
        is_cached(token, verified);
        changes_are_refused(issuers, token);
    }
    // This reads everything that is read when the signature of a public key is right.
    if let Ok(verified) =
        verify(issuers, token, NOW_MS, |operation| operation.for_envoy().is_some())
    {
        is_sound(&verified);
    }
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#),
        URL_SAFE_NO_PAD.encode(claims)
    );
    let mac = Hmac::<Sha256>::new_from_slice(&secret())
        .expect("a key")
        .chain_update(&message)
        .finalize()
        .into_bytes();
    let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac));
    match verify(issuers, token.as_bytes(), NOW_MS, |_| panic!("a shared secret is not handed on"))
    {
        Ok(verified) => {
            is_sound(&verified);
            changes_are_refused(issuers, token.as_bytes());
        }
        Err(Rejected::Signature | Rejected::Algorithm | Rejected::Key) => {
            panic!("a token with the right MAC")
        }
        Err(_) => {}
    }
}

/// A JWK Set, as an issuer may publish it: none of its keys accepts a made-up signature, or a
/// signature that is meant for something else.
pub fn jwks(data: &[u8]) {
    let Ok(jwks) = std::str::from_utf8(data) else { return };
    let issuers = Issuers::decode(
        SITE,
        &[wire::Issuer { jwks: jwks.to_owned(), secret: Vec::new(), ..issuer() }],
    );
    let claims = URL_SAFE_NO_PAD
        .encode(r#"{"iss":"https://login.example.com/","sub":"a","exp":2000000600}"#);
    for (algorithm, len) in
        [("RS256", 256), ("PS256", 256), ("ES256", 64), ("ES384", 96), ("EdDSA", 64)]
    {
        let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{algorithm}","kid":"k"}}"#));
        let token = format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(vec![1; len]));
        let mut asked = 0;
        let outcome = verify(&issuers, token.as_bytes(), NOW_MS, |operation| {
            asked += 1;
            check_here(operation)
        });
        assert!(
            matches!(outcome, Err(Rejected::Signature | Rejected::Key)),
            "{algorithm}: {:?}",
            outcome.err()
        );
        assert!(asked <= 4, "{asked} signatures for one token");
    }
}

fn made() -> serde_json::Value {
    serde_json::from_str(MADE).expect("the fixtures")
}

fn secret() -> Vec<u8> {
    let made = made();
    let hex = made["secret"].as_str().expect("a secret");
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex digits"))
        .collect()
}

fn issuer() -> wire::Issuer {
    let algorithms = ["ES256", "ES384", "EdDSA", "HS256", "PS256", "RS256"];
    let header = |header: &str, claim: &str| wire::ClaimHeader {
        header: header.to_owned(),
        claim: claim.to_owned(),
    };
    wire::Issuer {
        id: Uuid::from_u128(7).as_bytes().to_vec(),
        issuer: "https://login.example.com/".to_owned(),
        algorithms: algorithms.map(str::to_owned).to_vec(),
        jwks: made()["jwks"].to_string(),
        secret: secret(),
        leeway_s: 30,
        consumer_claim: "sub".to_owned(),
        require_consumer: true,
        scope_claim: "scope".to_owned(),
        upstream_headers: vec![header("x-groups", "groups"), header("x-user", "sub")],
        ..wire::Issuer::default()
    }
}

fn is_sound(verified: &Verified) {
    assert!(verified.is_valid(NOW_MS));
    assert!(verified.valid_from_ms() <= NOW_MS && NOW_MS < verified.valid_until_ms());
    assert!(verified.subject().is_some(), "a consumer is required");
    assert!(verified.scopes().is_sorted());
    for (_, value) in verified.upstream_headers() {
        assert!(!value.contains(['\r', '\n', '\0']), "a header that is more than one");
    }
}

fn is_cached(token: &[u8], verified: Verified) {
    let until_ms = verified.valid_until_ms();
    let mut cache = TokenCache::default();
    cache.insert(SITE, 1, token, Rc::new(verified));
    assert!(cache.get(SITE, 1, token, NOW_MS).is_some());
    assert!(cache.get(SITE, 2, token, NOW_MS).is_none());
    assert!(cache.get(SiteId(Uuid::from_u128(2)), 1, token, NOW_MS).is_none());
    assert!(cache.get(SITE, 1, &token[1..], NOW_MS).is_none());
    assert!(cache.get(SITE, 1, token, until_ms).is_none());
}

/// Another character in one place, or one more character, is refused: every token has one spelling.
fn changes_are_refused(issuers: &Issuers, token: &[u8]) {
    let step = (token.len() / CHANGES).max(1);
    for at in (0..token.len()).step_by(step).chain([token.len() - 1]) {
        let mut changed = token.to_vec();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        assert!(verify(issuers, &changed, NOW_MS, check_here).is_err(), "changed at {at}");
    }
    for longer in [[token, b"="].concat(), [token, b"."].concat(), [b" ", token].concat()] {
        assert!(verify(issuers, &longer, NOW_MS, check_here).is_err());
    }
}
