use std::collections::HashMap as Model;

use proptest::prelude::*;

use super::super::json::Json;
use super::super::time::Validity;
use super::*;
use crate::id::{IssuerId, Uuid};

const SITE: SiteId = SiteId(Uuid::from_u128(1));
const OTHER: SiteId = SiteId(Uuid::from_u128(2));

fn verified(from_ms: u64, until_ms: u64) -> Rc<Verified> {
    with_claims(Json::Null, from_ms, until_ms)
}

fn with_claims(claims: Json, from_ms: u64, until_ms: u64) -> Rc<Verified> {
    Rc::new(Verified {
        issuer: IssuerId(Uuid::from_u128(3)),
        subject: None,
        require_consumer: false,
        scopes: Vec::new(),
        headers: Vec::new(),
        claims,
        validity: Validity { from_ms, until_ms },
    })
}

#[test]
fn a_token_is_found_by_site_version_and_all_its_bytes() {
    let mut cache = TokenCache::default();
    let token = b"header.payload.signature-that-is-long-enough-to-be-hashed";
    cache.insert(SITE, 1, token, verified(0, 100));
    assert!(cache.get(SITE, 1, token, 50).is_some());
    assert!(cache.get(OTHER, 1, token, 50).is_none());
    assert!(cache.get(SITE, 2, token, 50).is_none(), "a removed key or issuer ends its tokens");
    for at in 0..token.len() {
        let mut changed = *token;
        changed[at] ^= 1;
        assert!(cache.get(SITE, 1, &changed, 50).is_none(), "byte {at}");
    }
    assert!(cache.get(SITE, 1, &token[..token.len() - 1], 50).is_none());
    assert!(cache.get(SITE, 1, b"", 50).is_none());
}

/// The hash covers the end of a token alone: those that share it push each other out, and are not
/// mixed up.
#[test]
fn tokens_with_the_same_hash_are_told_apart() {
    let mut cache = TokenCache::default();
    let end = "s".repeat(HASHED_BYTES);
    let [one, two] = ["one", "two"].map(|begin| format!("{begin}.{end}").into_bytes());
    assert_eq!(hash(SITE, 1, &one), hash(SITE, 1, &two));
    cache.insert(SITE, 1, &one, verified(0, 100));
    assert!(cache.get(SITE, 1, &two, 50).is_none());
    cache.insert(SITE, 1, &two, verified(0, 200));
    assert!(cache.get(SITE, 1, &one, 50).is_none());
    assert_eq!(cache.get(SITE, 1, &two, 50).unwrap().valid_until_ms(), 200);
}

#[test]
fn a_hit_is_valid_now() {
    let mut cache = TokenCache::default();
    cache.insert(SITE, 1, b"token", verified(10, 100));
    for (now_ms, found) in
        [(9, false), (10, true), (99, true), (100, false), (u64::MAX, false), (50, true)]
    {
        assert_eq!(cache.get(SITE, 1, b"token", now_ms).is_some(), found, "{now_ms}");
    }
}

#[test]
fn what_is_used_stays_and_the_bound_holds() {
    let mut cache = TokenCache::default();
    let token = |number: u32| [&[b'x'; 3000][..], &number.to_be_bytes()].concat();
    cache.insert(SITE, 1, b"used", verified(0, 100));
    for number in 0..20_000 {
        cache.insert(SITE, 1, &token(number), verified(0, 100));
        assert!(cache.get(SITE, 1, b"used", 50).is_some(), "after {number}");
        assert!(cache.held_bytes() <= MAX_CACHE_BYTES);
    }
    assert!(cache.get(SITE, 1, &token(0), 50).is_none());
    assert!(cache.get(SITE, 1, &token(19_999), 50).is_some());
    assert!(cache.held_bytes() > MAX_CACHE_BYTES / 3);
}

/// The memory of a token counts, not its length alone.
#[test]
fn claims_are_counted() {
    let mut cache = TokenCache::default();
    let items = Json::List(vec![Json::Null; 3000].into());
    let bytes = items.held_bytes();
    cache.insert(SITE, 1, b"bomb", with_claims(items, 0, 100));
    assert!(cache.held_bytes() > bytes);
    let huge = Json::List(vec![Json::Null; MAX_CACHE_BYTES / 2 / size_of::<Json>()].into());
    cache.insert(SITE, 1, b"huge", with_claims(huge, 0, 100));
    assert!(cache.get(SITE, 1, b"huge", 50).is_none());
    assert!(cache.get(SITE, 1, b"bomb", 50).is_some());
}

proptest! {
    /// Against a map: the value that is found was put there last, and while little is put there,
    /// everything is found.
    #[test]
    fn it_is_a_map_that_forgets(
        steps in prop::collection::vec((0..3_u64, 0..4_u8, any::<bool>(), 1..5_u64), 0..60),
    ) {
        let mut cache = TokenCache::default();
        let mut model = Model::new();
        for (version, token, insert, until_ms) in steps {
            if insert {
                cache.insert(SITE, version, &[token], verified(0, until_ms));
                model.insert((version, token), until_ms);
            }
            let found = cache.get(SITE, version, &[token], 2);
            let found = found.map(|verified| verified.valid_until_ms());
            let known = model.get(&(version, token)).copied();
            prop_assert_eq!(found, known.filter(|until_ms| 2 < *until_ms));
prop_assert!(cache.held_bytes() <= MAX_CACHE_BYTES);
        }
    }
}
