//! The routes of a site as a trie: method and path to route.
//!
//! In each segment literal text wins over a pattern, a pattern over a parameter, a parameter over the rest of the path; if
//! the more specific branch leads nowhere, the next one is tried. A node lies at one depth, so that a match visits each at
//! most once, whatever the path.

use crate::method::Methods;
use crate::path::{Pattern, Segment, Template};

/// What a method and path lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteMatch<T> {
    /// This route.
    Route(T),
    /// No route with this method, but some with these.
    OtherMethods(Methods),
    /// No route at all.
    None,
}

/// The routes of one site, ready to be matched; a route is whatever the caller says.
#[derive(Debug)]
pub struct Router<T> {
    root: Node<T>,
}

type Targets<T> = Vec<(Methods, T)>;

#[derive(Debug)]
struct Node<T> {
    /// Sorted by text.
    literals: Vec<(String, Self)>,
    /// Sorted by literal length, the longest first, then by text.
    patterns: Vec<(Pattern, Self)>,
    parameter: Option<Box<Self>>,
    rest: Targets<T>,
    /// The routes whose template ends here.
    ends: Targets<T>,
}

impl<T> Default for Router<T> {
    fn default() -> Self {
        Self { root: Node::default() }
    }
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self { literals: Vec::new(), patterns: Vec::new(), parameter: None, rest: Vec::new(), ends: Vec::new() }
    }
}

impl<T: Copy> Router<T> {
    /// Adds a route. Of two routes with the same shape and a method in common, the one that was added first wins.
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
    #[allow(clippy::indexing_slicing, reason = "the index was found or inserted on the line before")]
    fn literal(&mut self, text: &str) -> &mut Self {
        let at = self.literals.binary_search_by(|(known, _)| known.as_str().cmp(text)).unwrap_or_else(|at| {
            self.literals.insert(at, (text.to_owned(), Self::default()));
            at
        });
        &mut self.literals[at].1
    }

    #[allow(clippy::indexing_slicing, reason = "the index was found or inserted on the line before")]
    fn pattern(&mut self, pattern: &Pattern) -> &mut Self {
        let order = |a: &Pattern, b: &Pattern| b.literal_len().cmp(&a.literal_len()).then_with(|| a.cmp(b));
        let at = self.patterns.binary_search_by(|(known, _)| order(known, pattern)).unwrap_or_else(|at| {
            self.patterns.insert(at, (pattern.clone(), Self::default()));
            at
        });
        &mut self.patterns[at].1
    }

    /// `path` is what follows the slash before this node's segment; `None` when the path ended with the segment before.
    /// The depth of the recursion is that of the deepest template, which [`Template::parse_whole`] bounds.
    fn find(&self, method: Methods, path: Option<&[u8]>, others: &mut Methods) -> Option<T> {
        let Some(path) = path else { return target(&self.ends, method, others) };
        let slash = path.iter().position(|byte| *byte == b'/');
        let (segment, rest) = match slash.and_then(|at| path.split_at_checked(at)) {
            Some((segment, rest)) => (segment, rest.strip_prefix(b"/")),
            None => (path, None),
        };
        let literal = self.literals.binary_search_by(|(known, _)| known.as_bytes().cmp(segment));
        if let Some((_, node)) = literal.ok().and_then(|at| self.literals.get(at))
            && let Some(route) = node.find(method, rest, others)
        {
            return Some(route);
        }
        if !segment.is_empty() {
            let patterns = self.patterns.iter().filter(|(pattern, _)| pattern.matches(segment)).map(|(_, node)| node);
            let found = patterns.chain(self.parameter.as_deref()).find_map(|node| node.find(method, rest, others));
            if found.is_some() {
                return found;
            }
        }
        target(&self.rest, method, others)
    }
}

fn target<T: Copy>(targets: &Targets<T>, method: Methods, others: &mut Methods) -> Option<T> {
    let found = targets.iter().find(|(methods, _)| methods.intersects(method));
    if found.is_none() {
        *others = targets.iter().fold(*others, |all, (methods, _)| all.union(*methods));
    }
    found.map(|(_, route)| *route)
}

#[cfg(test)]
#[path = "router_tests.rs"]
mod tests;
