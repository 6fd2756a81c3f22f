//! Paths and their templates, compared with a slow, obvious way to match.

use policy::id::{RouteId, Uuid};
use policy::method::Methods;
use policy::path::{Template, canonical};
use policy::router::{RouteMatch, Router};

/// The largest number of templates that are read from an input: the trie shows its behaviour with a
/// few.
const TEMPLATES_MAX: usize = 16;

/// A text as a template: its canonical form is canonical, and its matches do not depend on the
/// names of parameters.
pub fn template(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(template) = Template::parse(text) else { return };
    let again = Template::parse(template.as_str()).expect("the canonical form of a template");
    assert_eq!(again.as_str(), template.as_str());
    assert_eq!(again.shape(), template.shape());
    assert!(Template::parse_whole(text).is_ok());
}

/// Lines: templates, and last a path. The first byte of a template's line gives its methods: GET if
/// it is even, POST if it is odd. The trie finds a route exactly if a template matches slowly.
pub fn path(data: &[u8]) {
    let lines: Vec<_> = data.split(|byte| *byte == b'\n').collect();
    let Some((last, templates)) = lines.split_last() else { return };
    let Ok(canonical_path) = canonical(last) else { return };
    assert_eq!(
        canonical(&canonical_path).as_deref(),
        Ok(&*canonical_path),
        "canonical once and for all"
    );

    let (get, post) = (method("GET"), method("POST"));
    let mut routes = Vec::new();
    let mut router = Router::default();
    for line in templates.iter().take(TEMPLATES_MAX) {
        let Some((kind, text)) = line.split_first() else { continue };
        let Some(template) =
            std::str::from_utf8(text).ok().and_then(|text| Template::parse(text).ok())
        else {
            continue;
        };
        let methods = if kind % 2 == 0 { get } else { post };
        router.insert(&template, methods, id(routes.len()));
        routes.push((template, methods));
    }
    let matching: Vec<_> =
        (0..routes.len()).filter(|at| matches(routes[*at].0.as_str(), &canonical_path)).collect();
    let routes = &routes;
    let of = |wanted: Methods| matching.iter().copied().filter(move |at| routes[*at].1 == wanted);
    for (asked, other) in [(get, post), (post, get)] {
        match router.find(asked, &canonical_path) {
            RouteMatch::Route(found) => assert!(of(asked).any(|at| id(at) == found)),
            RouteMatch::OtherMethods(methods) => {
                assert!(of(asked).next().is_none() && of(other).next().is_some());
                assert_eq!(methods, other);
            }
            RouteMatch::None => assert!(matching.is_empty()),
        }
    }
}

fn method(name: &str) -> Methods {
    Methods::named(name).expect("a method")
}

fn id(number: usize) -> RouteId {
    RouteId(Uuid::from_u128(number as u128))
}

/// Matches a canonical template segment by segment, and tries everything.
fn matches(template: &str, path: &[u8]) -> bool {
    let Some(path) = path.strip_prefix(b"/") else { return false };
    let parts: Vec<_> = template[1..].split('/').collect();
    let segments: Vec<_> = path.split(|byte| *byte == b'/').collect();
    let rest = parts.last().is_some_and(|part| part.starts_with("{*"));
    let long_enough =
        if rest { segments.len() >= parts.len() } else { segments.len() == parts.len() };
    let fixed = parts.len() - usize::from(rest);
    long_enough
        && parts[..fixed]
            .iter()
            .zip(segments)
            .all(|(part, segment)| part_matches(part.as_bytes(), segment))
}

/// Parameters stand for one byte or more: every length is tried.
fn part_matches(part: &[u8], segment: &[u8]) -> bool {
    match part {
        [] => segment.is_empty(),
        [b'{', ..] => {
            let end = part.iter().position(|byte| *byte == b'}').expect("braces pair");
            (1..=segment.len()).any(|len| part_matches(&part[end + 1..], &segment[len..]))
        }
        [byte, part @ ..] => segment
            .split_first()
            .is_some_and(|(first, rest)| first == byte && part_matches(part, rest)),
    }
}
