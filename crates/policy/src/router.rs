//! The routes of a site as a trie: method and path to route.
//!
//! In each segment literal text wins over a pattern, a pattern over a parameter, a parameter over
//! the rest of the path; if the more specific branch leads nowhere, the next one is tried. A node
//! lies at one depth, so that a match visits each at most once.

use std::cmp::Ordering;

use crate::method::Methods;
use crate::path::{Pattern, Segment, Template};
use crate::scan;

/// The target of a method and a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteMatch<T> {
    /// This route.
    Route(T),
    /// No route with this method, but some with these.
    OtherMethods(Methods),
    /// No route at all.
    None,
}

/// The routes of one site, ready to be matched; the caller chooses the type of a route.
#[derive(Debug)]
pub struct Router<T> {
    root: Node<T>,
}

type Targets<T> = Vec<(Methods, T)>;

#[derive(Debug)]
struct Node<T> {
    /// Sorted by text.
    literals: Vec<(Literal, Self)>,
    /// Sorted by literal length, the longest first, then by text.
    patterns: Vec<(Pattern, Self)>,
    parameter: Option<Box<Self>>,
    rest: Targets<T>,
    /// The routes whose template ends here.
    ends: Targets<T>,
}

/// The text of a segment, with its first eight bytes as a number: nearly all that differ do so in
/// these, and comparing them is one instruction.
#[derive(Debug)]
struct Literal {
    start: u64,
    text: Box<[u8]>,
}

impl Literal {
    fn of(text: &str) -> Self {
        Self { start: start_of(text.as_bytes()), text: text.as_bytes().into() }
    }

    /// Compares the text with a segment that begins with `start`.
    fn cmp(&self, start: u64, segment: &[u8]) -> Ordering {
        match self.start.cmp(&start) {
            Ordering::Equal if self.text.len() == segment.len() && segment.len() <= 8 => {
                Ordering::Equal
            }
            Ordering::Equal => (*self.text).cmp(segment),
            other => other,
        }
    }
}

/// The first eight bytes, the first one highest: so numbers are in the order of texts.
fn start_of(text: &[u8]) -> u64 {
    text.first_chunk::<8>()
        .map_or_else(|| scan::short(text).swap_bytes(), |start| u64::from_be_bytes(*start))
}

impl<T> Default for Router<T> {
    fn default() -> Self {
        Self { root: Node::default() }
    }
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self {
            literals: Vec::new(),
            patterns: Vec::new(),
            parameter: None,
            rest: Vec::new(),
            ends: Vec::new(),
        }
    }
}

impl<T: Copy> Router<T> {
    /// Adds a route. Of two routes with the same shape and a method in common, the one that was
    /// added first wins.
    pub fn insert(&mut self, template: &Template, methods: Methods, route: T) {
        let mut node = &mut self.root;
        for segment in &template.segments {
            node = match segment {
                Segment::Literal(text) => node.literal(text),
                Segment::Pattern(pattern) => node.pattern(pattern),
                Segment::Parameter => node.parameter.get_or_insert_default(),
                Segment::Rest => return node.rest.push((methods, route)),
            };
        }
        node.ends.push((methods, route));
    }

    /// Matches a canonical path ([`crate::path::canonical`]) without its query.
    pub fn find(&self, method: Methods, path: &[u8]) -> RouteMatch<T> {
        let Some(path) = path.strip_prefix(b"/") else { return RouteMatch::None };
        let mut others = Methods::NONE;
        match self.root.find(method, Some(path), &mut others) {
            Some(route) => RouteMatch::Route(route),
            None if others.is_empty() => RouteMatch::None,
            None => RouteMatch::OtherMethods(others),
        }
    }
}

impl<T: Copy> Node<T> {
    #[expect(
        clippy::indexing_slicing,
        reason = "the index was found or inserted on the line before"
    )]
    fn literal(&mut self, text: &str) -> &mut Self {
        let literal = Literal::of(text);
        let at =
            self.literals.binary_search_by(|(known, _)| known.cmp(literal.start, &literal.text));
        let at = at.unwrap_or_else(|at| {
            self.literals.insert(at, (literal, Self::default()));
            at
        });
        &mut self.literals[at].1
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "the index was found or inserted on the line before"
    )]
    fn pattern(&mut self, pattern: &Pattern) -> &mut Self {
        let order =
            |a: &Pattern, b: &Pattern| b.literal_len().cmp(&a.literal_len()).then_with(|| a.cmp(b));
        let at = self.patterns.binary_search_by(|(known, _)| order(known, pattern)).unwrap_or_else(
            |at| {
                self.patterns.insert(at, (pattern.clone(), Self::default()));
                at
            },
        );
        &mut self.patterns[at].1
    }

    /// `path` is the rest behind the slash before this node's segment; `None` when the path ended
    /// with the segment before. The depth of the recursion is that of the deepest template, which
    /// [`Template::parse_whole`] bounds.
    fn find(&self, method: Methods, path: Option<&[u8]>, others: &mut Methods) -> Option<T> {
        let Some(path) = path else { return target(&self.ends, method, others) };
        let slash = scan::position(path, b'/');
        let (segment, rest) = match slash.and_then(|at| path.split_at_checked(at)) {
            Some((segment, rest)) => (segment, rest.get(1..)),
            None => (path, None),
        };
        if let Some(node) = self.literal_of(segment)
            && let Some(route) = node.find(method, rest, others)
        {
            return Some(route);
        }
        if !segment.is_empty() {
            if !self.patterns.is_empty()
                && let Some(route) = self.find_by_pattern(method, segment, rest, others)
            {
                return Some(route);
            }
            if let Some(node) = &self.parameter
                && let Some(route) = node.find(method, rest, others)
            {
                return Some(route);
            }
        }
        target(&self.rest, method, others)
    }

    /// The branch of a segment's own text.
    fn literal_of(&self, segment: &[u8]) -> Option<&Self> {
        if self.literals.is_empty() {
            return None;
        }
        let start = start_of(segment);
        let at = self.literals.binary_search_by(|(known, _)| known.cmp(start, segment)).ok()?;
        self.literals.get(at).map(|(_, node)| node)
    }

    #[inline(never)]
    fn find_by_pattern(
        &self,
        method: Methods,
        segment: &[u8],
        rest: Option<&[u8]>,
        others: &mut Methods,
    ) -> Option<T> {
        let patterns = self.patterns.iter().filter(|(pattern, _)| pattern.matches(segment));
        patterns.map(|(_, node)| node).find_map(|node| node.find(method, rest, others))
    }
}

fn target<T: Copy>(targets: &Targets<T>, method: Methods, others: &mut Methods) -> Option<T> {
    for (methods, route) in targets {
        if methods.intersects(method) {
            return Some(*route);
        }
        *others = others.union(*methods);
    }
    None
}

#[cfg(test)]
#[path = "router_tests.rs"]
mod tests;
