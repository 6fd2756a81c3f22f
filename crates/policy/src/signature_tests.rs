use hmac::{Hmac, Mac as _};
use proptest::prelude::*;
use sha2::Sha256;

use super::*;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const NOW_S: u64 = 1_700_000_000;
const ALL: &str = r#""@method" "@authority" "@path" "@query""#;

pub(super) type Map = Vec<(String, Vec<u8>)>;

pub(super) fn request() -> Map {
    let fields: [(&str, &[u8]); 5] = [
        (":method", b"POST"),
        (":scheme", b"https"),
        (":authority", b"shop.example"),
        (":path", b"/v1/orders?id=7"),
        ("content-type", b"application/json"),
    ];
    fields.map(|(name, value)| (name.to_owned(), value.to_vec())).into()
}

pub(super) fn borrowed(map: &Map) -> Vec<(&str, &[u8])> {
    map.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect()
}

fn base64(bytes: &[u8]) -> String {
    sfv::ItemSerializer::new().bare_item(bytes).finish()
}

/// Signs with [`SECRET`] and adds the two fields. `parameters` is all behind the label.
fn sign(mut map: Map, label: &str, parameters: &str) -> Map {
    let base = base(&borrowed(&map), parameters).expect("a base");
    let mac = Hmac::<Sha256>::new_from_slice(SECRET)
        .expect("a key")
        .chain_update(base)
        .finalize()
        .into_bytes();
    map.push(("signature-input".to_owned(), format!("{label}={parameters}").into_bytes()));
    map.push(("signature".to_owned(), format!("{label}={}", base64(&mac)).into_bytes()));
    map
}

fn signed(parameters: &str) -> Map {
    sign(request(), "sig", parameters)
}

/// The outcome of verification, as (keyid, nonce, until, true if there is a digest to check).
type Outcome = Result<(String, Option<String>, u64, bool), Rejected>;

fn verify_at(map: &Map, rules: &Rules, has_body: bool, now_ms: u64) -> Outcome {
    let headers = borrowed(map);
    let presented = Presented::parse(&headers)?.expect("a signature");
    let key = Key::new(Algorithm::HmacSha256, SECRET).expect("a key");
    let verified = presented.verify(&key, rules, has_body, now_ms)?;
    Ok((
        verified.keyid.to_owned(),
        verified.nonce.map(str::to_owned),
        verified.accepted_until_ms,
        verified.content_digest.is_some(),
    ))
}

fn verify(map: &Map, rules: &Rules) -> Outcome {
    verify_at(map, rules, false, NOW_S * 1000)
}

fn rejected(map: &Map) -> Rejected {
    verify(map, &Rules::default()).expect_err("a refusal")
}

#[test]
fn a_signature_that_meets_the_rules_holds() {
    let map = signed(&format!(r#"({ALL});created={NOW_S};keyid="k";nonce="n""#));
    let until = (NOW_S + 301) * 1000;
    assert_eq!(
        verify(&map, &Rules::default()),
        Ok(("k".to_owned(), Some("n".to_owned()), until, false))
    );
}

#[test]
fn a_request_without_a_signature_has_none() {
    assert!(Presented::parse(&borrowed(&request())).expect("nothing wrong").is_none());
}

#[test]
fn created_is_accepted_within_its_window_alone() {
    let map = signed(&format!(r#"({ALL});created={NOW_S};keyid="k""#));
    let rules = Rules { max_age_s: 30, max_skew_s: 5, ..Rules::default() };
    for (now_ms, outcome) in [
        ((NOW_S - 6) * 1000 + 999, Err(Rejected::TooEarly)),
        ((NOW_S - 5) * 1000, Ok(())),
        ((NOW_S + 30) * 1000 + 999, Ok(())),
        ((NOW_S + 31) * 1000, Err(Rejected::TooOld)),
        (u64::MAX, Err(Rejected::TooOld)),
        (0, Err(Rejected::TooEarly)),
    ] {
        assert_eq!(verify_at(&map, &rules, false, now_ms).map(|_| ()), outcome, "{now_ms}");
    }
}

/// The time that the nonce store is told must not end before the signature does.
#[test]
fn a_signature_is_refused_from_the_time_that_is_told() {
    for parameters in [
        format!(r#"({ALL});created={NOW_S};keyid="k""#),
        format!(r#"({ALL});created={NOW_S};expires={};keyid="k""#, NOW_S + 3),
        format!(r#"({ALL});created={};expires={};keyid="k""#, NOW_S + 60, NOW_S + 999),
    ] {
        let map = signed(&parameters);
        let (_, _, until, _) = verify(&map, &Rules::default()).expect("it holds now");
        assert!(verify_at(&map, &Rules::default(), false, until - 1).is_ok(), "{parameters}");
        assert!(verify_at(&map, &Rules::default(), false, until).is_err(), "{parameters}");
    }
}

#[test]
fn an_expired_signature_is_refused() {
    let expires =
        |at: u64| signed(&format!(r#"({ALL});created={};expires={at};keyid="k""#, NOW_S - 10));
    assert_eq!(rejected(&expires(NOW_S)), Rejected::Expired);
    assert!(verify(&expires(NOW_S + 1), &Rules::default()).is_ok());
}

#[test]
fn created_has_to_be_there_and_a_whole_number() {
    assert_eq!(rejected(&signed(&format!(r#"({ALL});keyid="k""#))), Rejected::NoCreated);
    for wrong in ["-1", "1.5", "\"1\"", "@1", "?1"] {
        let map = signed(&format!(r#"({ALL});created={wrong};keyid="k""#));
        assert_eq!(rejected(&map), Rejected::Parameter("created"), "{wrong}");
        let map = signed(&format!(r#"({ALL});created={NOW_S};expires={wrong};keyid="k""#));
        assert_eq!(rejected(&map), Rejected::Parameter("expires"), "{wrong}");
    }
}

#[test]
fn what_the_site_requires_has_to_be_covered() {
    let map =
        signed(&format!(r#"("@method" "@authority" "@target-uri");created={NOW_S};keyid="k""#));
    assert_eq!(rejected(&map), Rejected::NotCovered(Component::Path));
    let map = signed(&format!(r#"({ALL} "content-type";bs);created={NOW_S};keyid="k""#));
    let content_type = Component::field("content-type").expect("a field");
    let rules = Rules { required: vec![content_type.clone()], ..Rules::default() };
    assert_eq!(verify(&map, &rules), Err(Rejected::NotCovered(content_type)));
    assert_eq!(
        verify(&map, &Rules { require_nonce: true, ..Rules::default() }),
        Err(Rejected::NoNonce)
    );
}

#[test]
fn a_covered_digest_is_always_to_be_checked() {
    let with = |value: &str, component: &str| {
        let mut map = request();
        map.push(("content-digest".to_owned(), value.as_bytes().to_vec()));
        sign(map, "sig", &format!(r#"({ALL} {component});created={NOW_S};keyid="k""#))
    };
    let requiring = Rules { require_content_digest: true, ..Rules::default() };
    let digest = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
    for form in [r#""content-digest""#, r#""content-digest";sf"#, r#""content-digest";bs"#] {
        let (_, _, _, has_digest) =
            verify_at(&with(digest, form), &requiring, true, NOW_S * 1000).expect(form);
        assert!(has_digest, "{form}");
    }
    let partly = with(digest, r#""content-digest";key="sha-256""#);
    assert_eq!(verify_at(&partly, &requiring, true, NOW_S * 1000), Err(Rejected::NoContentDigest));
    let unknown = with("md5=:X48E9qOokqqrvdts8nOJRA==:", r#""content-digest""#);
    assert_eq!(rejected(&unknown), Rejected::ContentDigest);
    // A digest that is there, and not covered, is worth nothing; without a body, there is nothing
    // to digest.
    let uncovered = with(digest, "");
    assert_eq!(
        verify_at(&uncovered, &requiring, true, NOW_S * 1000),
        Err(Rejected::NoContentDigest)
    );
    assert!(verify_at(&uncovered, &requiring, false, NOW_S * 1000).is_ok());
}

#[test]
fn the_algorithm_is_that_of_the_key() {
    let parameters = |alg: &str| format!(r#"({ALL});created={NOW_S};keyid="k";alg={alg}"#);
    assert!(verify(&signed(&parameters(r#""hmac-sha256""#)), &Rules::default()).is_ok());
    assert_eq!(rejected(&signed(&parameters(r#""ed25519""#))), Rejected::Algorithm);
    for other in [r#""rsa-pss-sha512""#, r#""HMAC-SHA256""#, r#""none""#, "hmac-sha256", "1"] {
        assert_eq!(rejected(&signed(&parameters(other))), Rejected::NoneUsable, "{other}");
    }
    // The bytes of a public key, known to all, used as a shared secret.
    let map = signed(&format!(r#"({ALL});created={NOW_S};keyid="k""#));
    let headers = borrowed(&map);
    let presented = Presented::parse(&headers).expect("a signature").expect("it is there");
    let key = Key::new(Algorithm::Ed25519, SECRET).expect("a key");
    assert_eq!(
        presented.verify(&key, &Rules::default(), false, NOW_S * 1000),
        Err(Rejected::Signature)
    );
}

#[test]
fn of_several_signatures_one_alone_is_for_the_gateway() {
    let ours = format!(r#"({ALL});created={NOW_S};keyid="k""#);
    let tagged = format!("{ours};tag=\"{TAG}\"");
    let other = r#"("@method");created=1;keyid="other";tag="proxy""#;
    let foreign = r#"("@method");created=1;keyid="other";alg="rsa-pss-sha512""#;
    let anonymous = r#"("@method");created=1"#;
    let both = |first: &str, second: &str| sign(sign(request(), "a", first), "b", second);

    assert_eq!(rejected(&both(&ours, other)), Rejected::Ambiguous);
    assert_eq!(rejected(&both(&tagged, &tagged)), Rejected::Ambiguous);
    assert!(verify(&both(&tagged, other), &Rules::default()).is_ok());
    assert!(verify(&both(other, &tagged), &Rules::default()).is_ok());
    assert!(verify(&both(foreign, &ours), &Rules::default()).is_ok());
    assert!(verify(&both(&ours, anonymous), &Rules::default()).is_ok());
    assert_eq!(rejected(&signed(anonymous)), Rejected::NoneUsable);
}

#[test]
fn the_labels_of_both_fields_have_to_agree() {
    let fields = |input: &str, signature: &str| {
        let mut map = request();
        map.push(("signature-input".to_owned(), input.as_bytes().to_vec()));
        map.push(("signature".to_owned(), signature.as_bytes().to_vec()));
        Presented::parse(&borrowed(&map)).map(|_| ())
    };
    let input = r#"a=("@method");created=1;keyid="k""#;
    assert_eq!(fields(input, "a=:AA==:"), Ok(()));
    assert_eq!(fields(input, "b=:AA==:"), Err(Rejected::NoneUsable));
    assert_eq!(fields(input, "a=token"), Err(Rejected::NoneUsable));
    assert_eq!(fields(input, "a=(:AA==:)"), Err(Rejected::NoneUsable));
    assert_eq!(fields(r#"a="@method";keyid="k""#, "a=:AA==:"), Err(Rejected::NoneUsable));
    assert_eq!(fields("a=(", "a=:AA==:"), Err(Rejected::Malformed));
    assert_eq!(fields("", ""), Err(Rejected::NoneUsable));
    assert_eq!(
        fields(&format!("{input};x=\"{}\"", "x".repeat(MAX_FIELD_LEN)), "a=:AA==:"),
        Err(Rejected::TooLong)
    );
    let long = format!(r#"a=("@method");created=1;keyid="{}""#, "k".repeat(MAX_PARAMETER_LEN + 1));
    assert_eq!(fields(&long, "a=:AA==:"), Err(Rejected::Parameter("keyid")));
    let mut half = request();
    half.push(("signature-input".to_owned(), input.as_bytes().to_vec()));
    assert_eq!(Presented::parse(&borrowed(&half)).map(|_| ()), Err(Rejected::HalfPresent));
}

#[test]
fn keys_have_the_lengths_of_their_algorithm_and_do_not_print_themselves() {
    assert_eq!(Key::new(Algorithm::HmacSha256, &[7; MIN_HMAC_KEY_LEN - 1]), None);
    assert_eq!(Key::new(Algorithm::HmacSha256, &[7; MAX_HMAC_KEY_LEN + 1]), None);
    assert_eq!(Key::new(Algorithm::Ed25519, &[7; 33]), None);
    let key = Key::new(Algorithm::HmacSha256, SECRET).expect("a key");
    assert_eq!(format!("{key:?}"), "Key(hmac-sha256, redacted)");
    // Of small order: a signature of zeros would be anybody's.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    assert!(!Key::new(Algorithm::Ed25519, &neutral).expect("32 bytes").is_sound());
}

#[test]
fn the_rules_of_a_site_are_what_was_pushed() {
    let mut pushed = crate::wire::SignatureRules {
        components: vec!["@method".to_owned(), "date".to_owned()],
        max_age_s: 7,
        skew_s: 3,
        require_nonce: true,
        require_content_digest: true,
        max_body_bytes: 1,
    };
    let rules = Rules {
        required: vec![Component::Method, Component::field("date").expect("a field")],
        max_age_s: 7,
        max_skew_s: 3,
        require_nonce: true,
        require_content_digest: true,
    };
    assert_eq!(Rules::decode(&pushed), Some(rules));
    pushed.components.push("@status".to_owned());
    assert_eq!(Rules::decode(&pushed), None);
}

proptest! {
    /// A change of any single byte that is covered breaks the signature; bytes that are not covered
    /// may change.
    #[test]
    fn every_covered_byte_counts(
        value in "[ -~]{0,20}",
        other in "[a-z]{1,8}",
        at in 0_usize..4,
        place in any::<prop::sample::Index>(),
    ) {
        let mut map = request();
        map.push(("x-covered".to_owned(), value.into_bytes()));
        map.push(("x-free".to_owned(), b"1".to_vec()));
        let covered = r#"("@method" "@target-uri" "x-covered")"#;
        let parameters = format!(r#"{covered};created={NOW_S};keyid="k""#);
        let rules = Rules { required: Vec::new(), ..Rules::default() };
        let mut map = sign(map, "sig", &parameters);
        map[6].1 = other.into_bytes();
        prop_assert!(verify(&map, &rules).is_ok());
        let changed = &mut map[[0, 2, 3, 5][at]].1;
        if changed.trim_ascii().is_empty() {
            changed.push(b'x');
        } else {
            let start = changed.len() - changed.trim_ascii_start().len();
            let len = changed.trim_ascii().len();
            // Up by one, and round: no white space, and no two neighbours that differ by case
            // alone.
            let byte = &mut changed[start + place.index(len)];
            *byte = if *byte == b'~' { b'!' } else { *byte + 1 };
        }
        prop_assert!(verify(&map, &rules).is_err());
    }

    #[test]
    fn fields_of_any_kind_do_no_harm(
        input in r#"(sig|a)=\(("@?[a-z-]{1,12}"(;[a-z]{1,4}(="?[a-z0-9]{0,3}"?)?)? ?){0,4}\)(;[a-z]{3,8}=("[ -~]{0,9}"|[0-9]{1,16})){0,4}|[ -~]{0,60}"#,
        signature in "(sig|a)=:[A-Za-z0-9+/=]{0,90}:|[ -~]{0,30}",
        junk in proptest::collection::vec(any::<u8>(), 0..30),
    ) {
        let mut map = request();
        map.push(("signature-input".to_owned(), input.into_bytes()));
        map.push(("signature".to_owned(), signature.into_bytes()));
        map.push(("x-junk".to_owned(), junk));
        let headers = borrowed(&map);
        if let Ok(Some(presented)) = Presented::parse(&headers) {
            let key = Key::new(Algorithm::HmacSha256, SECRET).expect("a key");
            let rules = Rules { required: Vec::new(), ..Rules::default() };
            prop_assert!(presented.verify(&key, &rules, false, NOW_S * 1000).is_err());
        }
    }
}
