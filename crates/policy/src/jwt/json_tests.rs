use super::*;

fn parse(text: &str) -> Option<Json> {
    Json::parse(text.as_bytes())
}

#[test]
fn what_parsers_disagree_about_is_refused() {
    for text in [
        r#"{"a":1,"a":1}"#,
        r#"{"a":{"b":1,"c":2,"b":3}}"#,
        r#"[{"a":1,"\u0061":2}]"#,
        "{} {}",
        "{},",
        "",
        " ",
        "{'a':1}",
        "{\"a\":1,}",
        "[1,]",
        "NaN",
        "1e999",
        "01",
        "\"\\ud800\"",
        "\"\u{1}\"",
    ] {
        assert!(parse(text).is_none(), "{text}");
    }
    assert!(Json::parse(b"\"\xff\"").is_none());
    assert!(Json::parse(b"\xef\xbb\xbf{}").is_none(), "a byte order mark");
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(&nested(Json::MAX_DEPTH)).is_some());
    assert!(parse(&nested(Json::MAX_DEPTH + 1)).is_none());
    let objects = |depth: usize| format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
    assert!(parse(&objects(Json::MAX_DEPTH)).is_some());
    assert!(parse(&objects(Json::MAX_DEPTH + 1)).is_none());
    assert!(parse(&"[".repeat(8192)).is_none());
}

#[test]
fn dots_lead_into_objects_and_whole_names_come_first() {
    let claims = parse(concat!(
        r#"{"a":{"b":{"c":1},"b.c":2},"a.b":3,"#,
        r#""https://x.example/tier":{"level":"gold"},"":{"":4}}"#
    ))
    .unwrap();
    let find = |path: &str| claims.find(path).and_then(Json::scalar).map(Cow::into_owned);
    assert_eq!(find("a.b").as_deref(), Some("3"));
    assert_eq!(find("a.b.c").as_deref(), Some("2"));
    assert_eq!(find("https://x.example/tier.level").as_deref(), Some("gold"));
    assert_eq!(find(".").as_deref(), Some("4"));
    assert_eq!(find("a.c"), None);
    assert_eq!(find("a.b.c.d"), None);
    assert_eq!(find("a."), None);
}

#[test]
fn only_what_has_one_text_is_a_scalar() {
    for (text, scalar) in [
        (r#""x""#, Some("x")),
        ("42", Some("42")),
        ("-42", Some("-42")),
        ("true", Some("true")),
        ("false", Some("false")),
        ("9223372036854775807", Some("9223372036854775807")),
        ("9223372036854775808", None),
        ("1.0", None),
        ("1e2", None),
        ("null", None),
        (r#"["x"]"#, None),
        ("{}", None),
    ] {
        assert_eq!(parse(text).unwrap().scalar().as_deref(), scalar, "{text}");
    }
}

#[test]
fn numbers_are_the_same_by_value() {
    let same = |a: &str, b: &str| parse(a).unwrap().same(&parse(b).unwrap());
    assert!(same("1", "1.0"));
    assert!(same("1e2", "100"));
    assert!(!same("1", "2"));
    assert!(!same("1", "\"1\""));
    assert!(!same("1", "true"));
    assert!(!same("0", "null"));
}

#[test]
fn what_a_value_holds_is_counted() {
    let items = parse(&format!("[{}1]", "1,".repeat(999))).unwrap();
    assert_eq!(items.held_bytes(), 1000 * size_of::<Json>());
    let object = parse(r#"{"name":"value"}"#).unwrap();
    assert_eq!(object.held_bytes(), size_of::<(Box<str>, Json)>() + 9);
}
