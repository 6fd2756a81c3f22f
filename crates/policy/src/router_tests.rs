use proptest::prelude::*;

use super::*;
use crate::id::RouteId;
use crate::id::Uuid;
use crate::path::canonical;

fn get() -> Methods {
    Methods::named("GET").expect("a method")
}

fn post() -> Methods {
    Methods::named("POST").expect("a method")
}

fn id(number: usize) -> RouteId {
    RouteId(Uuid::from_u128(number as u128))
}

/// A router of these templates, all for GET; the ids are their places.
fn router(templates: &[&str]) -> Router<RouteId> {
    let mut router = Router::default();
    for (place, template) in templates.iter().enumerate() {
        router.insert(&Template::parse(template).expect("a template"), get(), id(place));
    }
    router
}

fn found(router: &Router<RouteId>, path: &str) -> Option<usize> {
    match router.find(get(), &canonical(path.as_bytes()).expect("a path")) {
        RouteMatch::Route(route) => Some(route.0.as_u128() as usize),
        _ => None,
    }
}

#[test]
fn the_more_specific_segment_wins_from_left_to_right() {
    let templates = ["/{*rest}", "/{a}", "/{a}.json", "/me.json", "/me", "/{a}/x", "/me/{b}"];
    let router = router(&templates);
    for (path, expected) in [
        ("/me", "/me"),
        ("/you", "/{a}"),
        ("/me.json", "/me.json"),
        ("/you.json", "/{a}.json"),
        ("/me/x", "/me/{b}"),
        ("/you/x", "/{a}/x"),
        ("/you/y", "/{*rest}"),
        ("/", "/{*rest}"),
    ] {
        assert_eq!(found(&router, path).map(|place| templates[place]), Some(expected), "{path}");
    }
}

#[test]
fn a_branch_that_leads_nowhere_is_left_again() {
    let router = router(&["/repos/{owner}/settings", "/repos/me/keys"]);
    assert_eq!(found(&router, "/repos/me/settings"), Some(0));
    assert_eq!(found(&router, "/repos/me/keys"), Some(1));
    assert_eq!(found(&router, "/repos/me/other"), None);
}

#[test]
fn a_trailing_slash_is_part_of_the_path() {
    let router = router(&["/a", "/b/", "/c/{id}", "/d/{*rest}"]);
    assert_eq!(found(&router, "/a/"), None);
    assert_eq!(found(&router, "/b"), None);
    assert_eq!(found(&router, "/b/"), Some(1));
    assert_eq!(found(&router, "/c/"), None, "a parameter is one character or more");
    assert_eq!(found(&router, "/d/"), Some(3));
    assert_eq!(found(&router, "/d/x/y/"), Some(3));
    assert_eq!(found(&router, "/d"), None);
}

#[test]
fn encoded_text_matches_what_it_stands_for() {
    let router = router(&["/orders/{id}", "/orders/me"]);
    assert_eq!(found(&router, "/%6Frders/m%65"), Some(1));
    assert_eq!(found(&router, "/ORDERS/me"), None, "paths are case-sensitive");
}

#[test]
fn another_method_is_told_apart_from_no_route() {
    let mut router = router(&["/a/{id}"]);
    router.insert(&Template::parse("/a/b").expect("a template"), post(), id(9));
    assert_eq!(router.find(post(), b"/a/b"), RouteMatch::Route(id(9)));
    assert_eq!(
        router.find(get(), b"/a/b"),
        RouteMatch::Route(id(0)),
        "a less specific route that serves the method"
    );
    assert_eq!(router.find(post(), b"/a/c"), RouteMatch::OtherMethods(get()));
    let delete = Methods::named("DELETE").expect("a method");
    assert_eq!(router.find(delete, b"/a/b"), RouteMatch::OtherMethods(get().union(post())));
    assert_eq!(router.find(get(), b"/x"), RouteMatch::None);
    assert_eq!(router.find(get(), b"*"), RouteMatch::None);
}

/// The rank of a segment of a template for a segment of a path; `None` if they do not match. Lower
/// wins.
fn rank(template: &str, segment: &str) -> Option<usize> {
    match template {
        "{p}" => (!segment.is_empty()).then_some(2),
        "{q}b" => segment.strip_suffix('b').is_some_and(|rest| !rest.is_empty()).then_some(1),
        literal => (literal == segment).then_some(0),
    }
}

/// Returns the rank of each segment of a template that matches; `None` if it does not.
fn ranks(template: &str, path: &str) -> Option<Vec<usize>> {
    let segments: Vec<_> = path[1..].split('/').collect();
    let parts: Vec<_> = template[1..].split('/').collect();
    let whole = parts.len() == segments.len();
    if !whole && (parts.last() != Some(&"{*r}") || parts.len() > segments.len()) {
        return None;
    }
    let pairs = parts.iter().zip(&segments);
    pairs
        .map(|(part, segment)| if *part == "{*r}" { Some(3) } else { rank(part, segment) })
        .collect()
}

/// The slow, obvious model: among the templates that match and serve the method, the one whose
/// ranks come first, and of the same shape the one that was added first. Where none serves the
/// method, the methods of all that match.
fn model(routes: &[(String, Methods)], method: Methods, path: &str) -> RouteMatch<RouteId> {
    let matching = routes
        .iter()
        .enumerate()
        .filter_map(|(place, (template, methods))| Some((ranks(template, path)?, place, *methods)));
    let matching: Vec<_> = matching.collect();
    let serving = matching.iter().filter(|(_, _, methods)| methods.intersects(method));
    match serving.map(|(ranks, place, _)| (ranks, *place)).min() {
        Some((_, place)) => RouteMatch::Route(id(place)),
        None if matching.is_empty() => RouteMatch::None,
        None => RouteMatch::OtherMethods(
            matching.iter().fold(Methods::NONE, |all, (_, _, methods)| all.union(*methods)),
        ),
    }
}

/// Parts of a template whose parameters are numbered, as names may not repeat.
fn numbered(parts: &[&str]) -> String {
    let part = |(at, part): (usize, &&str)| {
        part.replace('p', &format!("p{at}")).replace('q', &format!("q{at}"))
    };
    parts.iter().enumerate().map(part).collect::<Vec<_>>().join("/")
}

proptest! {
    /// Routes of all shapes, the same shape with several methods, and the same twice.
    #[test]
    fn the_trie_matches_like_its_model(
        routes in prop::collection::vec(
            (
                prop::collection::vec(
                    prop::sample::select(vec!["a", "b", "ab", "", "{p}", "{q}b"]),
                    1..5,
                ),
                any::<bool>(),
                1_u32..8,
            ),
            1..14,
        ),
        paths in prop::collection::vec("(/(a|b|ab|bb|c|)){1,5}", 1..10),
    ) {
        let mut router = Router::default();
        let mut plain = Vec::new();
        for (parts, rest, bits) in &routes {
            let tail = if *rest { "/{*r}" } else { "" };
            let template = format!("/{}{tail}", numbered(parts));
            // An empty segment may only come last.
            let Ok(template) = Template::parse(&template) else { continue };
            router.insert(&template, Methods::from_bits(*bits), id(plain.len()));
            plain.push((format!("/{}{tail}", parts.join("/")), Methods::from_bits(*bits)));
        }
        for path in paths {
            for bits in [1, 2, 4, 8] {
                let method = Methods::from_bits(bits);
                let found = router.find(method, &canonical(path.as_bytes()).expect("a path"));
                let expected = model(&plain, method, &path);
                prop_assert_eq!(found, expected, "{} for {} in {:?}", path, method, plain);
            }
        }
    }
}
