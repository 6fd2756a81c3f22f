use proptest::prelude::*;

use super::*;

fn shape(text: &str) -> String {
    Template::parse(text).map_or_else(|error| format!("{error:?}"), |template| template.shape())
}

#[test]
fn templates_have_shapes() {
    let cases = [
        ("/", "/"),
        ("/orders", "/orders"),
        ("/orders/", "/orders/"),
        ("/orders/{id}", "/orders/{}"),
        ("/files/{name}.json", "/files/{}.json"),
        ("/compare/{base}...{head}", "/compare/{}...{}"),
        ("/v1/{parent}:cancel", "/v1/{}:cancel"),
        ("/static/{*rest}", "/static/{*}"),
        ("/{*rest}", "/{*}"),
        ("/a%2db/%c3%a9", "/a-b/%C3%A9"),
        ("/Users('{id}')", "/Users('{}')"),
    ];
    for (text, expected) in cases {
        assert_eq!(shape(text), expected, "{text}");
    }
}

#[test]
fn wrong_templates_say_what_is_wrong() {
    let cases = [
        ("", TemplateError::NoLeadingSlash),
        ("orders", TemplateError::NoLeadingSlash),
        ("/a//b", TemplateError::EmptySegment),
        ("/a/../b", TemplateError::DotSegment),
        ("/a/%2e%2E", TemplateError::DotSegment),
        ("/a b", TemplateError::Character(' ')),
        ("/a?b", TemplateError::Character('?')),
        ("/caf\u{e9}", TemplateError::Character('\u{e9}')),
        ("/a%2fb", TemplateError::Encoding),
        ("/a%zz", TemplateError::Encoding),
        ("/{a", TemplateError::Braces),
        ("/a}", TemplateError::Braces),
        ("/{{a}}", TemplateError::Braces),
        ("/{}", TemplateError::Name),
        ("/{a}/{a}", TemplateError::Repeated("a".to_owned())),
        ("/{a}{b}", TemplateError::Adjacent),
        ("/{*a}/b", TemplateError::Rest),
        ("/x{*a}", TemplateError::Rest),
    ];
    for (text, expected) in cases {
        assert_eq!(Template::parse(text), Err(expected), "{text}");
    }
    assert_eq!(Template::parse(&"/a".repeat(65)), Err(TemplateError::TooManySegments));
    assert_eq!(Template::parse(&format!("/{}", "a".repeat(1024))), Err(TemplateError::TooLong));
}

fn pattern_of(text: &str) -> Pattern {
    let template = Template::parse(&format!("/{text}")).expect("a template");
    match template.segments.into_iter().next() {
        Some(Segment::Pattern(pattern)) => pattern,
        other => panic!("{text} is {other:?}"),
    }
}

#[test]
fn a_pattern_leaves_something_for_each_parameter() {
    let pattern = pattern_of("{a}...{b}.json");
    assert!(pattern.matches(b"main...topic.json"));
    assert!(pattern.matches(b"a......json"), "the second parameter may be made of dots");
    assert!(!pattern.matches(b"...topic.json"));
    assert!(!pattern.matches(b"main....json"));
    assert!(!pattern.matches(b"main...topic"));
}

#[test]
fn equivalent_paths_have_one_form() {
    let same = |path: &str| {
        String::from_utf8(canonical(path.as_bytes()).expect("a path").into_owned()).expect("text")
    };
    assert_eq!(same("/%6frders/%7Eme"), "/orders/~me");
    assert_eq!(same("/caf%c3%a9"), "/caf%C3%A9");
    assert_eq!(same("/a%20b"), "/a%20b");
}

#[test]
fn paths_that_programs_read_differently_are_malformed() {
    for path in
        ["/a%2Fb", "/a%5cb", "/a%00", "/a%", "/a%2", "/a%zz", "/a\\b", "/a b", "/a\tb", "/a#b"]
    {
        assert_eq!(canonical(path.as_bytes()), Err(Malformed), "{path}");
    }
}

/// A pattern as a slow, obvious model: try every split.
fn model(pieces: &[String], text: &[u8], first: bool) -> bool {
    let Some((piece, rest)) = pieces.split_first() else { return text.is_empty() };
    let starts = if first { 0..=0 } else { 1..=text.len().max(1) };
    starts.into_iter().any(|start| {
        text.get(start..)
            .and_then(|tail| tail.strip_prefix(piece.as_bytes()))
            .is_some_and(|tail| model(rest, tail, false))
    })
}

proptest! {
    #[test]
    fn a_pattern_matches_like_its_model(
        first in "[ab]{0,2}",
        inner in prop::collection::vec("[ab]{1,2}", 0..3),
        last in "[ab]{0,2}",
        text in "[ab]{0,9}",
    ) {
        let mut pieces = vec![first];
        pieces.extend(inner);
        pieces.push(last);
        let pattern = Pattern { pieces: pieces.clone() };
        let expected = model(&pieces, text.as_bytes(), true);
        let found = pattern.matches(text.as_bytes());
        prop_assert_eq!(found, expected, "{:?} on {}", pieces, text);
    }

    #[test]
    fn the_canonical_form_is_its_own(path in "/[a-z%0-9A-F/.~ ]{0,20}") {
        if let Ok(once) = canonical(path.as_bytes()) {
            let twice = canonical(&once).map(Cow::into_owned);
            prop_assert_eq!(twice.as_deref(), Ok(&*once));
        }
    }

    #[test]
    fn any_text_is_a_template_or_an_error(text in "\\PC{0,40}") {
        if let Ok(template) = Template::parse(&text) {
            prop_assert_eq!(Template::parse(template.as_str()), Ok(template.clone()));
        }
    }
}
