use super::*;
use crate::headers::Header;
use crate::key::{ApiKey, Digest, Environment};

fn key(seed: u8) -> String {
    ApiKey::from_random(Environment::Live, &[seed; 64]).expect("a key").reveal().to_owned()
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

fn query(name: &str) -> KeySource {
    KeySource::Query(name.into())
}

/// The key that is found, or why there is none.
fn found(sources: &[KeySource], headers: &[(&str, &str)]) -> Result<String, &'static str> {
    let headers: Vec<Header<'_>> =
        headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    match PresentedKey::find(&Request::read(&headers, false), sources) {
        PresentedKey::None => Err("none"),
        PresentedKey::Unusable => Err("unusable"),
        PresentedKey::Key(found) if Digest::of_presented(&found.0).is_none() => Err("unusable"),
        PresentedKey::Key(found) => Ok(String::from_utf8(found.0.into_owned()).expect("text")),
    }
}

#[test]
fn a_key_is_found_in_the_places_of_the_site_and_in_no_other() {
    let (one, bearer) = (key(1), format!("bEaReR  {}", key(1)));
    let (named, path) = (KeySource::Header("x-app".into()), format!("/a?x=1&api_key={}&y", key(1)));
    let places = [
        (KeySource::Bearer, ("authorization", bearer.as_str())),
        (KeySource::Basic, ("authorization", &basic("anyone", &one))),
        (named, ("x-app", &one)),
        (query("api_key"), (":path", &path)),
    ];
    for (source, _) in &places {
        for (place, header) in &places {
            let expected = if source == place { Ok(one.clone()) } else { Err("none") };
            assert_eq!(
                found(std::slice::from_ref(source), &[*header]),
                expected,
                "{source:?} {}",
                header.0
            );
        }
    }
}

#[test]
fn two_different_keys_are_none_and_one_twice_is_one() {
    let (one, two, bearer) = (key(1), key(2), format!("Bearer {}", key(2)));
    let defaults = KeySource::defaults();
    let unusable = Err("unusable");
    assert_eq!(found(&defaults, &[("x-api-key", &one), ("x-api-key", &two)]), unusable);
    assert_eq!(found(&defaults, &[("x-api-key", &one), ("authorization", &bearer)]), unusable);
    assert_eq!(found(&defaults, &[("x-api-key", &one), ("x-api-key", "junk")]), unusable);
    assert_eq!(found(&defaults, &[("x-api-key", &format!("{one},{two}"))]), unusable);
    assert_eq!(
        found(&defaults, &[("x-api-key", &two), ("authorization", &bearer)]),
        Ok(two.clone())
    );
    let twice = format!("/?k={one}&k={two}");
    assert_eq!(found(&[query("k")], &[(":path", &twice)]), unusable);
}

#[test]
fn authorization_that_is_not_ours_is_passed_over_and_a_header_for_keys_is_not() {
    let mut sources = KeySource::defaults();
    sources.push(KeySource::Basic);
    let one = key(1);
    for other in
        ["", "Bearer", "Bearer eyJhbGciOi.J9.x", "Basic dTpw", "Basic !!", "Digest a", &one]
    {
        assert_eq!(found(&sources, &[("authorization", other)]), Err("none"), "{other}");
        assert_eq!(
            found(&sources, &[("authorization", other), ("x-api-key", &one)]),
            Ok(one.clone()),
            "{other}"
        );
    }
    for junk in ["", "junk", "tnt_live_1"] {
        assert_eq!(found(&sources, &[("x-api-key", junk)]), Err("unusable"), "{junk}");
    }
    let mistyped = format!("Bearer {}", one.replace('1', "2"));
    assert_eq!(found(&sources, &[("authorization", &mistyped)]), Err("unusable"));
}

#[test]
fn a_presented_key_does_not_print_itself() {
    let one = key(1);
    let headers: [Header<'_>; 1] = [(b"x-api-key", one.as_bytes())];
    let shown = format!(
        "{:?}",
        PresentedKey::find(&Request::read(&headers, false), &KeySource::defaults())
    );
    assert!(shown.contains("KeyText(redacted)") && !shown.contains("tnt_"), "{shown}");
}

#[test]
fn keys_are_taken_out_of_the_query_and_the_rest_stays_as_it_was() {
    let sources = [query("k"), query("key")];
    for (path, without) in [
        ("/a?k=1", Some("/a")),
        ("/a?x=%20&k=1&y", Some("/a?x=%20&y")),
        ("/a?k&key=2&kk=3&K=4", Some("/a?kk=3&K=4")),
        ("/a?x=k=1", None),
        ("/k=1", None),
    ] {
        let headers: [Header<'_>; 1] = [(b":path", path.as_bytes())];
        let request = Request::read(&headers, false);
        assert_eq!(
            target_without_keys(&request, &sources).as_deref(),
            without.map(str::as_bytes),
            "{path}"
        );
    }
}
