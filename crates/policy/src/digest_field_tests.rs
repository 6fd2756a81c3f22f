use proptest::prelude::*;

use super::*;

/// Request content of RFC 9530 appendix B.1, which is `{"hello": "world"}` and a line feed.
const HELLO: &[u8] = b"{\"hello\": \"world\"}\n";
const HELLO_SHA_256: &str = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:";
/// RFC 9421 section 1.4 and appendix B.2, whose content has no line feed.
const HELLO_PLAIN_SHA_256: &str = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
const HELLO_PLAIN_SHA_512: &str = "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+\
     AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:";
const HELLO_PLAIN: &[u8] = b"{\"hello\": \"world\"}";

fn matches(value: &str, body: &[u8]) -> Option<bool> {
    let mut hasher = Expected::parse(value.as_bytes())?.start();
    hasher.update(body);
    Some(hasher.finish())
}

#[test]
fn the_vectors_of_the_standards_match() {
    assert_eq!(matches(HELLO_SHA_256, HELLO), Some(true));
    assert_eq!(matches(HELLO_PLAIN_SHA_256, HELLO_PLAIN), Some(true));
    assert_eq!(matches(HELLO_PLAIN_SHA_512, HELLO_PLAIN), Some(true));
    // RFC 9530 appendix B.2: a response to HEAD carries the digest of no content; this is its
    // SHA-256.
    assert_eq!(matches("sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:", b""), Some(true));
}

#[test]
fn another_body_does_not_match() {
    assert_eq!(matches(HELLO_SHA_256, HELLO_PLAIN), Some(false));
    assert_eq!(matches(HELLO_PLAIN_SHA_512, HELLO), Some(false));
    assert_eq!(matches(HELLO_SHA_256, b""), Some(false));
}

#[test]
fn of_several_digests_all_have_to_match() {
    assert_eq!(
        matches(&format!("{HELLO_PLAIN_SHA_256}, {HELLO_PLAIN_SHA_512}"), HELLO_PLAIN),
        Some(true)
    );
    assert_eq!(
        matches(&format!("{HELLO_SHA_256}, {HELLO_PLAIN_SHA_512}"), HELLO_PLAIN),
        Some(false)
    );
    assert_eq!(matches(&format!("{HELLO_SHA_256}, {HELLO_PLAIN_SHA_512}"), HELLO), Some(false));
}

#[test]
fn an_unknown_algorithm_is_skipped_where_a_known_one_is_there() {
    assert_eq!(
        matches(&format!("md5=:Sd/dVLAcvNLSq16eXua5uQ==:, {HELLO_SHA_256}"), HELLO),
        Some(true)
    );
    assert_eq!(matches(&format!("{HELLO_SHA_256}, crc32c=(1 2), new"), HELLO), Some(true));
    assert_eq!(matches("md5=:Sd/dVLAcvNLSq16eXua5uQ==:", HELLO), None);
}

#[test]
fn a_field_that_says_nothing_to_check_is_refused() {
    let overlong = format!("{HELLO_SHA_256}, x=\"{}\"", "x".repeat(MAX_VALUE_LEN));
    for value in [
        "",
        "sha-256",
        "sha-256=1",
        "sha-256=::",
        "sha-256=(:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:)",
        "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8Fa:",
        "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:, sha-512=:AA==:",
        "sha-256=RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=",
        "SHA-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:",
        "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:,",
        &overlong,
    ] {
        assert_eq!(matches(value, HELLO), None, "{value}");
    }
}

#[test]
fn debug_shows_no_digest() {
    let expected = Expected::parse(HELLO_SHA_256.as_bytes()).expect("a digest");
    assert_eq!(
        format!("{expected:?} {:?}", expected.start()),
        "Expected(redacted) Hasher(redacted)"
    );
}

proptest! {
    #[test]
    fn the_chunks_of_a_body_do_not_matter(
        body in proptest::collection::vec(any::<u8>(), 0..500),
        cuts in proptest::collection::vec(1_usize..100, 1..20),
        flip in any::<prop::sample::Index>(),
    ) {
        let mut field = sfv::DictSerializer::new();
        let key = |name| sfv::KeyRef::from_str(name).expect("a key");
        field.bare_item(key("sha-256"), Sha256::digest(&body).as_slice());
        field.bare_item(key("sha-512"), Sha512::digest(&body).as_slice());
        let field = field.finish().expect("members");
        let expected = Expected::parse(field.as_bytes()).expect("digests");
        let mut hasher = expected.start();
        let mut rest = &body[..];
        for cut in cuts.iter().cycle() {
            let (chunk, after) = rest.split_at((*cut).min(rest.len()));
            hasher.update(chunk);
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert!(hasher.finish());
        if !body.is_empty() {
            let mut changed = body.clone();
            changed[flip.index(body.len())] ^= 1;
            let mut hasher = expected.start();
            hasher.update(&changed);
            prop_assert!(!hasher.finish());
        }
    }

    #[test]
    fn any_bytes_are_a_field_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Expected::parse(&bytes);
    }
}
