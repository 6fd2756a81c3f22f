use super::*;
use crate::key::{ApiKey, Environment};

fn key(seed: u8) -> String {
    ApiKey::from_random(Environment::Live, &[seed; 64]).expect("a key").reveal().to_owned()
}

fn credential<'a>(headers: &[(&'a str, &'a str)]) -> Credential<'a> {
    Request::read(headers.iter().map(|(name, value)| (*name, value.as_bytes()))).credential
}

fn places(credential: &Credential<'_>) -> Option<(bool, bool)> {
    match credential {
        Credential::Key(key) => Some((key.in_authorization, key.in_api_key)),
        _ => None,
    }
}

#[test]
fn a_key_is_found_in_either_place() {
    let (one, bearer) = (key(1), format!("bEaReR  {}", key(1)));
    assert_eq!(places(&credential(&[("x-api-key", &one)])), Some((false, true)));
    assert_eq!(places(&credential(&[("authorization", &bearer)])), Some((true, false)));
    assert_eq!(places(&credential(&[("authorization", &bearer), ("x-api-key", &one)])), Some((true, true)));
}

#[test]
fn a_presented_key_does_not_print_itself() {
    let one = key(1);
    let shown = format!("{:?}", credential(&[("x-api-key", &one)]));
    assert!(shown.contains("KeyText(redacted)") && !shown.contains("tnt_"), "{shown}");
}

#[test]
fn two_different_keys_are_none() {
    let (one, two, bearer) = (key(1), key(2), format!("Bearer {}", key(2)));
    assert_eq!(credential(&[("x-api-key", &one), ("x-api-key", &two)]), Credential::Unusable);
    assert_eq!(credential(&[("x-api-key", &one), ("authorization", &bearer)]), Credential::Unusable);
    assert_eq!(credential(&[("x-api-key", &one), ("x-api-key", "junk")]), Credential::Unusable);
    let both = format!("{one},{two}");
    assert_eq!(credential(&[("x-api-key", &both)]), Credential::Unusable);
}

#[test]
fn beside_an_api_key_the_authorization_is_the_upstreams() {
    let one = key(1);
    for other in ["Bearer eyJhbGciOi.J9.x", "Basic dTpw", "Digest a"] {
        assert_eq!(
            places(&credential(&[("authorization", other), ("x-api-key", &one)])),
            Some((false, true)),
            "{other}"
        );
    }
}

#[test]
fn anything_else_is_no_key() {
    assert_eq!(credential(&[]), Credential::None);
    for value in ["", "Bearer", "Bearer ", "Bearer x", "Basic dTpw", &key(1), &format!("Bearer {} x", key(1))] {
        assert_eq!(credential(&[("authorization", value)]), Credential::Unusable, "{value}");
    }
}

#[test]
fn reserved_headers_are_listed_and_the_query_is_left_out() {
    let headers: [(&str, &[u8]); 4] =
        [(":path", b"/a?b=/c?d"), ("x-tenantry-site", b"1"), ("x-tenantry-zzz", b"\xff"), ("x-tenantry", b"2")];
    let request = Request::read(headers);
    assert_eq!(request.path, b"/a");
    assert_eq!(request.reserved, ["x-tenantry-site", "x-tenantry-zzz"]);
}
