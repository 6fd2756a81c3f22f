//! The examples of RFC 9421: the signature bases of section 2 and appendix B that are of requests,
//! and the signatures of appendix B with the two algorithms that are supported.

use super::*;

type Map<'a> = Vec<(&'a str, &'a [u8])>;

/// The `test-request` of appendix B.2.
fn test_request() -> Map<'static> {
    vec![
        (":method", b"POST"),
        (":scheme", b"https"),
        (":authority", b"example.com"),
        (":path", b"/foo?param=Value&Pet=dog"),
        ("date", b"Tue, 20 Apr 2021 02:07:55 GMT"),
        ("content-type", b"application/json"),
        (
            "content-digest",
            b"sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:",
        ),
        ("content-length", b"18"),
    ]
}

/// Seconds since the epoch at which appendix B signs.
const CREATED_S: u64 = 1_618_884_473;

/// `test-shared-secret`, appendix B.1.5.
const SHARED_SECRET: &str =
    ":uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==:";
/// The public half of `test-key-ed25519`, appendix B.1.4.
const ED25519: &str = ":JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=:";

fn bytes(base64: &str) -> Vec<u8> {
    let item: sfv::Item = sfv::Parser::new(base64).parse().expect("an item");
    item.bare_item.as_byte_sequence().expect("bytes").to_vec()
}

/// No requirements: the examples are not all what a site would want.
fn lax() -> Rules {
    Rules { required: Vec::new(), ..Rules::default() }
}

fn base_text(headers: Headers<'_>, parameters: &str) -> String {
    String::from_utf8(base(headers, parameters).expect("a base")).expect("text")
}

/// The lines of a base but for the last, for one component after the other.
fn values<const N: usize>(headers: Headers<'_>, identifiers: [&str; N]) -> [String; N] {
    identifiers.map(|identifier| {
        let base = base_text(headers, &format!("({identifier})"));
        let (line, parameters) = base.split_once('\n').expect("two lines");
        assert_eq!(parameters, format!("\"@signature-params\": ({identifier})"));
        line.to_owned()
    })
}

#[test]
fn appendix_b_2_1_a_minimal_signature_covers_nothing() {
    let parameters =
        r#"();created=1618884473;keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd""#;
    assert_eq!(
        base_text(&test_request(), parameters),
        format!("\"@signature-params\": {parameters}")
    );
}

#[test]
fn appendix_b_2_2_selective_components() {
    let parameters = r#"("@authority" "content-digest" "@query-param";name="Pet");created=1618884473;keyid="test-key-rsa-pss";tag="header-example""#;
    let expected = format!(
        "\"@authority\": example.com\n\
         \"content-digest\": sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:\n\
         \"@query-param\";name=\"Pet\": dog\n\
         \"@signature-params\": {parameters}"
    );
    assert_eq!(base_text(&test_request(), parameters), expected);
}

#[test]
fn appendix_b_2_3_full_coverage() {
    let parameters = r#"("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-rsa-pss""#;
    let expected = format!(
        "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n\
         \"@method\": POST\n\
         \"@path\": /foo\n\
         \"@query\": ?param=Value&Pet=dog\n\
         \"@authority\": example.com\n\
         \"content-type\": application/json\n\
         \"content-digest\": sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:\n\
         \"content-length\": 18\n\
         \"@signature-params\": {parameters}"
    );
    assert_eq!(base_text(&test_request(), parameters), expected);
}

#[test]
fn appendix_b_2_5_hmac_sha256() {
    let mut headers = test_request();
    headers.push((
        "signature-input",
        br#"sig-b25=("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret""#,
    ));
    headers.push(("signature", b"sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:"));
    let presented = Presented::parse(&headers).expect("a signature").expect("it is there");
    assert_eq!(presented.keyid(), "test-shared-secret");
    let secret = bytes(SHARED_SECRET);
    let key = Key::new(Algorithm::HmacSha256, &secret).expect("a key");
    let verified = presented.verify(&key, &lax(), true, CREATED_S * 1000).expect("it holds");
    let accepted_until_ms = (CREATED_S + 301) * 1000;
    let expected = Verified {
        keyid: "test-shared-secret",
        nonce: None,
        accepted_until_ms,
        content_digest: None,
    };
    assert_eq!(verified, expected);

    headers[4].1 = b"Tue, 20 Apr 2021 02:07:56 GMT";
    let presented = Presented::parse(&headers).expect("a signature").expect("it is there");
    assert_eq!(presented.verify(&key, &lax(), true, CREATED_S * 1000), Err(Rejected::Signature));
}

#[test]
fn appendix_b_2_6_ed25519() {
    let mut headers = test_request();
    headers.push((
        "signature-input",
        br#"sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519""#,
    ));
    headers.push((
        "signature",
        b"sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:",
    ));
    let public = bytes(ED25519);
    let key = Key::new(Algorithm::Ed25519, &public).expect("a key");
    assert!(key.is_sound());
    let presented = Presented::parse(&headers).expect("a signature").expect("it is there");
    let verified = presented.verify(&key, &lax(), true, CREATED_S * 1000).expect("it holds");
    assert_eq!(verified.keyid, "test-key-ed25519");

    headers[0].1 = b"PUT";
    let presented = Presented::parse(&headers).expect("a signature").expect("it is there");
    assert_eq!(presented.verify(&key, &lax(), true, CREATED_S * 1000), Err(Rejected::Signature));
}

/// Appendix B.4: what intermediaries may do to a request, and what they may not.
#[test]
fn appendix_b_4_message_transformations() {
    let original: Map<'_> = vec![
        (":method", b"GET"),
        (":scheme", b"https"),
        (":authority", b"example.org"),
        (":path", b"/demo?name1=Value1&Name2=value2"),
        ("date", b"Fri, 15 Jul 2022 14:24:55 GMT"),
        ("accept", b"application/json"),
        ("accept", b"*/*"),
        (
            "signature-input",
            br#"transform=("@method" "@path" "@authority" "accept");created=1618884473;keyid="test-key-ed25519""#,
        ),
        (
            "signature",
            b"transform=:ZT1kooQsEHpZ0I1IjCqtQppOmIqlJPeo7DHR3SoMn0s5JZ1eRGS0A+vyYP9t/LXlh5QMFFQ6cpLt2m0pmj3NDA==:",
        ),
    ];
    let public = bytes(ED25519);
    let key = Key::new(Algorithm::Ed25519, &public).expect("a key");
    let outcome = |headers: Headers<'_>| {
        let presented = Presented::parse(headers).expect("a signature").expect("it is there");
        presented.verify(&key, &lax(), false, CREATED_S * 1000).map(|_| ())
    };
    assert_eq!(outcome(&original), Ok(()));

    let mut added = original.clone();
    added[3].1 = b"/demo?name1=Value1&Name2=value2&param=added";
    added.push(("accept-language", b"en-US,en;q=0.5"));
    assert_eq!(outcome(&added), Ok(()));
    let mut dropped = original.clone();
    dropped.remove(4);
    dropped.insert(0, ("referer", b"https://developer.example.org/demo"));
    assert_eq!(outcome(&dropped), Ok(()));
    let mut joined = original.clone();
    joined.remove(6);
    joined[5].1 = b"application/json, */*";
    assert_eq!(outcome(&joined), Ok(()));

    let mut reordered = original.clone();
    reordered.swap(5, 6);
    assert_eq!(outcome(&reordered), Err(Rejected::Signature));
    let mut other = original.clone();
    other[0].1 = b"POST";
    other[2].1 = b"example.com";
    assert_eq!(outcome(&other), Err(Rejected::Signature));
}

#[test]
fn section_2_1_fields() {
    let headers: Map<'_> = vec![
        (":authority", b"www.example.com"),
        ("date", b"Tue, 20 Apr 2021 02:07:56 GMT"),
        ("x-ows-header", b"  Leading and trailing whitespace.   "),
        ("x-obs-fold-header", b"Obsolete\r\n    line folding."),
        ("cache-control", b"max-age=60"),
        ("cache-control", b"   must-revalidate"),
        ("example-dict", b" a=1,    b=2;x=1;y=2,   c=(a   b   c)"),
        ("x-empty-header", b""),
    ];
    let identifiers = [
        r#""host""#,
        r#""x-ows-header""#,
        r#""x-obs-fold-header""#,
        r#""cache-control""#,
        r#""example-dict""#,
        r#""x-empty-header""#,
    ];
    assert_eq!(
        values(&headers, identifiers),
        [
            r#""host": www.example.com"#,
            r#""x-ows-header": Leading and trailing whitespace."#,
            r#""x-obs-fold-header": Obsolete line folding."#,
            r#""cache-control": max-age=60, must-revalidate"#,
            r#""example-dict": a=1,    b=2;x=1;y=2,   c=(a   b   c)"#,
            r#""x-empty-header": "#,
        ]
    );
}

#[test]
fn section_2_1_1_the_strict_form() {
    let value = b" a=1,    b=2;x=1;y=2,   c=(a   b   c)".trim_ascii();
    assert_eq!(
        structured::strict(structured::Kind::Dictionary, value).as_deref(),
        Some("a=1, b=2;x=1;y=2, c=(a b c)")
    );
}

#[test]
fn section_2_1_2_dictionary_members() {
    let headers: Map<'_> = vec![("example-dict", b"  a=1, b=2;x=1;y=2, c=(a   b    c), d")];
    let identifiers = ["a", "d", "b", "c"].map(|key| format!("\"example-dict\";key=\"{key}\""));
    assert_eq!(
        values(&headers, identifiers.each_ref().map(String::as_str)),
        [
            r#""example-dict";key="a": 1"#,
            r#""example-dict";key="d": ?1"#,
            r#""example-dict";key="b": 2;x=1;y=2"#,
            r#""example-dict";key="c": (a b c)"#,
        ]
    );
}

#[test]
fn section_2_1_3_byte_sequences() {
    let apart: Map<'_> =
        vec![("example-header", b"value, with, lots"), ("example-header", b"of, commas")];
    let joined: Map<'_> = vec![("example-header", b"value, with, lots, of, commas")];
    let identifier = [r#""example-header";bs"#];
    assert_eq!(
        values(&apart, identifier),
        [r#""example-header";bs: :dmFsdWUsIHdpdGgsIGxvdHM=:, :b2YsIGNvbW1hcw==:"#]
    );
    assert_eq!(
        values(&joined, identifier),
        [r#""example-header";bs: :dmFsdWUsIHdpdGgsIGxvdHMsIG9mLCBjb21tYXM=:"#]
    );
}

#[test]
fn section_2_2_derived_components() {
    let headers: Map<'_> = vec![
        (":method", b"POST"),
        (":scheme", b"https"),
        (":authority", b"www.example.com"),
        (":path", b"/path?param=value"),
    ];
    let identifiers = [
        "\"@method\"",
        "\"@target-uri\"",
        "\"@authority\"",
        "\"@scheme\"",
        "\"@request-target\"",
        "\"@path\"",
        "\"@query\"",
    ];
    assert_eq!(
        values(&headers, identifiers),
        [
            "\"@method\": POST",
            "\"@target-uri\": https://www.example.com/path?param=value",
            "\"@authority\": www.example.com",
            "\"@scheme\": https",
            "\"@request-target\": /path?param=value",
            "\"@path\": /path",
            "\"@query\": ?param=value",
        ]
    );
    let query = |path: &'static [u8]| values(&[(":path", path)], ["\"@query\""]).concat();
    assert_eq!(
        query(b"/path?param=value&foo=bar&baz=bat%2Dman"),
        "\"@query\": ?param=value&foo=bar&baz=bat%2Dman"
    );
    assert_eq!(query(b"/path?queryString"), "\"@query\": ?queryString");
    assert_eq!(query(b"/path?"), "\"@query\": ?");
    assert_eq!(query(b"/path"), "\"@query\": ?");
}

#[test]
fn section_2_2_8_query_parameters() {
    let headers: Map<'_> = vec![(":path", b"/path?param=value&foo=bar&baz=batman&qux=")];
    let names = ["baz", "qux", "param"].map(|name| format!("\"@query-param\";name=\"{name}\""));
    assert_eq!(
        values(&headers, names.each_ref().map(String::as_str)),
        [
            r#""@query-param";name="baz": batman"#,
            r#""@query-param";name="qux": "#,
            r#""@query-param";name="param": value"#
        ]
    );
    let headers: Map<'_> = vec![(
        ":path",
        b"/parameters?var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something",
    )];
    let names = ["var", "bar", "fa%C3%A7ade%22%3A%20"]
        .map(|name| format!("\"@query-param\";name=\"{name}\""));
    assert_eq!(
        values(&headers, names.each_ref().map(String::as_str)),
        [
            r#""@query-param";name="var": this%20is%20a%20big%0Amultiline%20value"#,
            r#""@query-param";name="bar": with%20plus%20whitespace"#,
            r#""@query-param";name="fa%C3%A7ade%22%3A%20": something"#,
        ]
    );
}
