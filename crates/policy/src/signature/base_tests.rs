//! Components that can be covered, and ones that are refused instead of being skipped.

use super::tests::{borrowed, request};
use super::*;

#[test]
fn what_is_covered_twice_is_refused_in_whatever_order_its_parameters_are() {
    let twice = |components: &str| {
        base(&borrowed(&request()), &format!("({components})")).expect_err("a refusal")
    };
    assert_eq!(twice(r#""@method" "@method""#), Rejected::Repeated(Component::Method));
    let field = twice(r#""cache-status";sf;key="a" "cache-status";key="a";sf"#);
    assert_eq!(field.to_string(), r#"`"cache-status";sf;key="a"` is covered twice"#);
    let many: Vec<_> = (0..=MAX_COMPONENTS).map(|at| format!("\"x-{at}\"")).collect();
    assert_eq!(twice(&many.join(" ")), Rejected::TooManyComponents);
}

#[test]
fn what_is_not_supported_is_never_skipped() {
    for (component, error) in [
        (r#""@status""#, ComponentError::UnknownDerived("@status".to_owned())),
        (r#""@signature-params""#, ComponentError::UnknownDerived("@signature-params".to_owned())),
        (r#""@method";req"#, parameter("@method", "req")),
        (r#""content-type";tr"#, parameter("content-type", "tr")),
        (r#""content-type";new=1"#, parameter("content-type", "new")),
        (r#""content-type";sf=?0"#, parameter("content-type", "sf")),
        (r#""content-type";name="a""#, parameter("content-type", "name")),
        (r#""@query-param";name=a"#, parameter("@query-param", "name")),
        (r#""@query-param""#, ComponentError::NoName),
        (r#""priority";bs;sf"#, ComponentError::Incompatible("priority".to_owned())),
        (r#""priority";key="u";bs"#, ComponentError::Incompatible("priority".to_owned())),
        (r#""Content-Type""#, ComponentError::FieldName("Content-Type".to_owned())),
        (r#"":path""#, ComponentError::FieldName(":path".to_owned())),
        (r#""""#, ComponentError::FieldName(String::new())),
        ("token", ComponentError::NoIdentifier),
    ] {
        let outcome = base(&borrowed(&request()), &format!("({component})"));
        assert_eq!(outcome, Err(Rejected::Component(error)), "{component}");
    }
}

fn parameter(component: &str, parameter: &str) -> ComponentError {
    ComponentError::Parameter { component: component.to_owned(), parameter: parameter.to_owned() }
}

#[test]
fn a_component_that_the_request_lacks_is_refused() {
    let refused = |name: &str, value: &[u8], component: &str| {
        let mut map = request();
        map.retain(|(known, _)| known != name);
        map.push((name.to_owned(), value.to_vec()));
        let component: Component = component.parse().expect("a component");
        let outcome = base(&borrowed(&map), &format!("({component})"));
        assert_eq!(outcome, Err(Rejected::Value(component)), "{name}: {value:?}");
    };
    refused("x-other", b"1", r#""x-absent""#);
    refused("x-other", b"1", r#""x-absent";bs"#);
    refused("x-other", b"1", r#""x-absent";key="a""#);
    refused("example-dict", b"a=1", r#""example-dict";key="b""#);
    refused("example-dict", b"a=1,", r#""example-dict";key="a""#);
    // Nobody knows whether this is a list or a dictionary.
    refused("example-dict", b"a=1", r#""example-dict";sf"#);
    refused("priority", b"u=", r#""priority";sf"#);
    refused(":path", b"/?a=1&a=2", r#""@query-param";name="a""#);
    refused(":path", b"/?a=1&%61=2", r#""@query-param";name="a""#);
    refused(":path", b"/?b=1", r#""@query-param";name="a""#);
    refused(":path", b"/?a=%ff", r#""@query-param";name="a""#);
    refused(":path", b"*", "@path");
    refused(":path", b"*", "@query");
    refused(":path", b"shop.example:443", "@target-uri");
}

#[test]
fn no_value_can_feign_another_component() {
    for value in ["1\n\"@method\": GET", "1\r\n\"@method\": GET", "1\r\n", "1\0", "\u{fc}"] {
        let mut map = request();
        map.push(("x-a".to_owned(), value.as_bytes().to_vec()));
        let component = Component::field("x-a").expect("a field");
        assert_eq!(
            base(&borrowed(&map), r#"("x-a")"#),
            Err(Rejected::Value(component)),
            "{value:?}"
        );
    }
    for (at, component) in
        [(0, Component::Method), (2, Component::Authority), (3, Component::Query)]
    {
        let mut map = request();
        map[at].1.extend_from_slice(b"\n\"x\": y");
        assert_eq!(
            base(&borrowed(&map), &format!("({component})")),
            Err(Rejected::Value(component))
        );
    }
    let mut map = request();
    map.push((":path".to_owned(), b"/other".to_vec()));
    assert_eq!(base(&borrowed(&map), r#"("@path")"#), Err(Rejected::Value(Component::Path)));
}

#[test]
fn the_authority_is_in_lower_case_and_without_the_default_port() {
    for (scheme, authority, expected) in [
        ("https", "Shop.Example:443", "shop.example"),
        ("HTTP", "shop.example:80", "shop.example"),
        ("https", "shop.example:80", "shop.example:80"),
        ("http", "shop.example:443", "shop.example:443"),
        ("https", "[2001:db8::443]", "[2001:db8::443]"),
    ] {
        let headers = [(":scheme", scheme.as_bytes()), (":authority", authority.as_bytes())];
        let base = base(&headers, r#"("@authority")"#).expect("a base");
        assert!(
            base.starts_with(format!("\"@authority\": {expected}\n").as_bytes()),
            "{authority}"
        );
    }
}

#[test]
fn a_base_is_bounded() {
    let mut map = request();
    map[3].1 = [b"/?".as_slice(), &[b'q'; 60_000]].concat();
    let refused = base(&borrowed(&map), r#"("@query" "@request-target" "@target-uri")"#);
    assert_eq!(refused, Err(Rejected::BaseTooLong));
}

#[test]
fn components_are_read_back_from_their_text() {
    for (text, canonical) in [
        ("@method", r#""@method""#),
        ("content-type", r#""content-type""#),
        (r#""@query-param";name="a%20b""#, r#""@query-param";name="a%20b""#),
        (r#""x";key="a\"b";sf"#, r#""x";sf;key="a\"b""#),
    ] {
        let component: Component = text.parse().expect(text);
        assert_eq!(component.to_string(), canonical);
        assert_eq!(canonical.parse(), Ok(component));
    }
}
