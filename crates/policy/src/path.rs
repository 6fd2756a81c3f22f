//! Path templates such as `/orders/{id}`, `/files/{name}.json` and `/static/{*rest}`, and the
//! canonical form of paths.

use std::{borrow::Cow, fmt};

use thiserror::Error;

use crate::scan::PathBytes;

/// The longest template, in bytes: well over what real API descriptions have (GitHub's longest is
/// 116).
pub const MAX_TEMPLATE_LEN: usize = 1024;
/// The most segments of a template.
pub const MAX_SEGMENTS: usize = 64;
/// The most segments of a base path: well over what real APIs have, and few enough for Envoy to
/// take them off ([`MAX_PREFIX_SEGMENTS`]).
pub const MAX_BASE_PATH_SEGMENTS: usize = 20;
/// The most segments of a route's prefix, which is a base path and the name of a version. Envoy
/// takes a prefix off by a regular expression of 4 instructions of RE2 a segment, and refuses one
/// of more than 100 instructions (`re2.max_program_size.error_level`).
pub const MAX_PREFIX_SEGMENTS: usize = MAX_BASE_PATH_SEGMENTS + 1;
const _: () = assert!(4 * MAX_PREFIX_SEGMENTS < 100);
/// The same for a whole path: a template behind its prefix, which the database holds to 512 bytes
/// of base path and a version. The second bounds the depth of a match.
const MAX_WHOLE_LEN: usize = MAX_TEMPLATE_LEN + 1024;
const MAX_WHOLE_SEGMENTS: usize = MAX_SEGMENTS + 512;

/// Why a text is no path template.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TemplateError {
    /// It does not begin with a slash.
    #[error("a path template begins with `/`")]
    NoLeadingSlash,
    /// It is longer than [`MAX_TEMPLATE_LEN`].
    #[error("a path template has at most {MAX_TEMPLATE_LEN} bytes")]
    TooLong,
    /// It has more than [`MAX_SEGMENTS`].
    #[error("a path template has at most {MAX_SEGMENTS} segments")]
    TooManySegments,
    /// Two slashes follow each other.
    #[error("a path template has no empty segment (`//`)")]
    EmptySegment,
    /// A segment is `.` or `..`.
    #[error("a path template has no `.` or `..` segment")]
    DotSegment,
    /// A character that a path cannot have; it has to be percent-encoded.
    #[error("`{0}` cannot stand in a path; percent-encode it")]
    Character(char),
    /// A `%` without two hexadecimal digits, or one that hides a slash, a backslash or a NUL.
    #[error("`%` is followed by two hexadecimal digits, and does not encode `/`, `\\` or NUL")]
    Encoding,
    /// Braces that do not pair, or that nest.
    #[error("braces enclose one parameter name each: `{{name}}`")]
    Braces,
    /// A parameter without a name, or with one of over 64 characters.
    #[error("a parameter has a name of 1 to 64 characters")]
    Name,
    /// The same name twice.
    #[error("the parameter `{0}` occurs twice")]
    Repeated(String),
    /// Two parameters with nothing between them.
    #[error("two parameters in a segment need text between them")]
    Adjacent,
    /// `{*rest}` elsewhere than as the whole last segment.
    #[error("`{{*name}}` is the whole of the last segment")]
    Rest,
}

/// One segment of a template, in canonical form. The order is that of precedence: literal text wins
/// over a pattern, the pattern with more text over the one with less, both over a parameter, and
/// all over the rest of the path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Segment {
    Literal(String),
    /// The literal pieces around the parameters of a segment such as `{a}...{b}.json`: first,
    /// between, last.
    Pattern(Pattern),
    Parameter,
    Rest,
}

/// Literal pieces with a parameter, that is one character or more, between each two. There are two
/// pieces at least.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Pattern {
    pieces: Vec<String>,
}

impl Pattern {
    /// Returns true if a canonical segment matches. Leftmost matches of the inner pieces suffice:
    /// they leave the longest rest.
    pub(crate) fn matches(&self, segment: &[u8]) -> bool {
        let Some((first, inner, last)) = self.ends() else { return false };
        let Some(mut rest) = segment.strip_prefix(first.as_bytes()) else { return false };
        for piece in inner {
            let Some(found) = find_after_one(rest, piece.as_bytes()) else { return false };
            rest = found;
        }
        rest.strip_suffix(last.as_bytes()).is_some_and(|parameter| !parameter.is_empty())
    }

    fn ends(&self) -> Option<(&String, &[String], &String)> {
        let (first, rest) = self.pieces.split_first()?;
        let (last, inner) = rest.split_last()?;
        Some((first, inner, last))
    }

    /// The bytes of literal text in the segment: the more, the more specific.
    pub(crate) fn literal_len(&self) -> usize {
        self.pieces.iter().map(String::len).sum()
    }
}

/// Returns the text behind the first occurrence of `piece` that leaves at least one byte before it.
fn find_after_one<'a>(text: &'a [u8], piece: &[u8]) -> Option<&'a [u8]> {
    let tail = text.get(1..)?;
    if piece.is_empty() {
        return Some(tail);
    }
    let at = tail.windows(piece.len()).position(|window| window == piece)?;
    tail.get(at + piece.len()..)
}

/// A parsed path template.
///
/// Forms of a segment: literal text; `{name}`; text around parameters (`{id}.json`,
/// `{base}...{head}`); and, last, `{*name}`, which takes the rest of the path, slashes included,
/// even if it is empty. A trailing slash is part of the path. Literal text is canonical: unreserved
/// characters are not percent-encoded, other encodings are in upper case.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Template {
    text: String,
    pub(crate) segments: Vec<Segment>,
}

impl Template {
    /// Parses and canonicalises a template.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        Self::parse_within(text, MAX_TEMPLATE_LEN, MAX_SEGMENTS)
    }

    /// As [`Template::parse`], for the path as clients send it: base path and version, then the
    /// template. Each was checked by itself, so that together they may exceed the bounds of a
    /// template.
    pub fn parse_whole(text: &str) -> Result<Self, TemplateError> {
        Self::parse_within(text, MAX_WHOLE_LEN, MAX_WHOLE_SEGMENTS)
    }

    fn parse_within(
        text: &str,
        max_len: usize,
        max_segments: usize,
    ) -> Result<Self, TemplateError> {
        if text.len() > max_len {
            return Err(TemplateError::TooLong);
        }
        let path = text.strip_prefix('/').ok_or(TemplateError::NoLeadingSlash)?;
        let mut parser = Parser::default();
        let mut parts = path.split('/').peekable();
        while let Some(part) = parts.next() {
            if parser.segments.len() == max_segments {
                return Err(TemplateError::TooManySegments);
            }
            if part.is_empty() && parts.peek().is_some() {
                return Err(TemplateError::EmptySegment);
            }
            parser.segment(part, parts.peek().is_none())?;
        }
        Ok(Self { text: parser.text, segments: parser.segments })
    }

    /// The canonical text, parameter names as they were given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text with every parameter name left out: two templates of the same shape match the same
    /// paths.
    pub fn shape(&self) -> String {
        let mut shape = String::with_capacity(self.text.len());
        for segment in &self.segments {
            shape.push('/');
            match segment {
                Segment::Literal(text) => shape.push_str(text),
                Segment::Pattern(pattern) => shape.push_str(&pattern.pieces.join("{}")),
                Segment::Parameter => shape.push_str("{}"),
                Segment::Rest => shape.push_str("{*}"),
            }
        }
        shape
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Template({})", self.text)
    }
}

#[derive(Default)]
struct Parser {
    text: String,
    names: Vec<String>,
    segments: Vec<Segment>,
}

impl Parser {
    fn segment(&mut self, part: &str, last: bool) -> Result<(), TemplateError> {
        self.text.push('/');
        if let Some(name) = part.strip_prefix("{*").and_then(|rest| rest.strip_suffix('}')) {
            if !last {
                return Err(TemplateError::Rest);
            }
            self.name(name)?;
            self.text.push_str(part);
            self.segments.push(Segment::Rest);
            return Ok(());
        }
        let mut pieces = Vec::new();
        let mut rest = part;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or(TemplateError::Braces)?;
            if !pieces.is_empty() && before.is_empty() {
                return Err(TemplateError::Adjacent);
            }
            pieces.push(self.literal(before)?);
            self.name(name)?;
            self.text.push_str(&format!("{{{name}}}"));
            rest = after;
        }
        pieces.push(self.literal(rest)?);
        self.segments.push(segment_of(pieces)?);
        Ok(())
    }

    fn literal(&mut self, text: &str) -> Result<String, TemplateError> {
        if let Some(character) = text.chars().find(|character| !is_path_char(*character)) {
            let brace = matches!(character, '{' | '}');
            return Err(if brace {
                TemplateError::Braces
            } else {
                TemplateError::Character(character)
            });
        }
        let canonical = canonical(text.as_bytes()).map_err(|_| TemplateError::Encoding)?;
        let canonical =
            String::from_utf8(canonical.into_owned()).map_err(|_| TemplateError::Encoding)?;
        self.text.push_str(&canonical);
        Ok(canonical)
    }

    fn name(&mut self, name: &str) -> Result<(), TemplateError> {
        if name.starts_with('*') {
            return Err(TemplateError::Rest);
        }
        if name.is_empty() || name.chars().count() > 64 {
            return Err(TemplateError::Name);
        }
        if name.contains(['{', '}']) {
            return Err(TemplateError::Braces);
        }
        if self.names.iter().any(|known| known == name) {
            return Err(TemplateError::Repeated(name.to_owned()));
        }
        self.names.push(name.to_owned());
        Ok(())
    }
}

fn segment_of(mut pieces: Vec<String>) -> Result<Segment, TemplateError> {
    if pieces.len() > 1 {
        let bare = pieces.len() == 2 && pieces.iter().all(String::is_empty);
        return Ok(if bare { Segment::Parameter } else { Segment::Pattern(Pattern { pieces }) });
    }
    let literal = pieces.pop().unwrap_or_default();
    if literal == "." || literal == ".." {
        return Err(TemplateError::DotSegment);
    }
    Ok(Segment::Literal(literal))
}

/// The characters of a path, percent sign and slash included (RFC 3986 section 3.3).
fn is_path_char(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@%".contains(character)
}

/// A path that no two programs can be trusted to read alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Brings a path to the form in which it is matched: percent-encoded unreserved characters are
/// decoded, other encodings are in upper case (RFC 3986 section 6.2.2). An upstream that decodes
/// its path so sees the path that was matched.
///
/// # Errors
/// A `%` without two hexadecimal digits; an encoded slash, backslash or NUL; a backslash, a `#` or
/// a control character.
pub fn canonical(path: &[u8]) -> Result<Cow<'_, [u8]>, Malformed> {
    match PathBytes::of(path) {
        PathBytes { forbidden: true, .. } => Err(Malformed),
        PathBytes { percent: false, .. } => Ok(Cow::Borrowed(path)),
        PathBytes { percent: true, .. } => decoded(path).map(Cow::Owned),
    }
}

#[cold]
fn decoded(path: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut canonical = Vec::with_capacity(path.len());
    let mut bytes = path.iter();
    while let Some(byte) = bytes.next() {
        if *byte != b'%' {
            canonical.push(*byte);
            continue;
        }
        let high = bytes.next().and_then(hex_value).ok_or(Malformed)?;
        let low = bytes.next().and_then(hex_value).ok_or(Malformed)?;
        match high << 4 | low {
            b'/' | b'\\' | 0 => return Err(Malformed),
            decoded if decoded.is_ascii_alphanumeric() || b"-._~".contains(&decoded) => {
                canonical.push(decoded)
            }
            decoded => canonical.extend_from_slice(format!("%{decoded:02X}").as_bytes()),
        }
    }
    Ok(canonical)
}

fn hex_value(byte: &u8) -> Option<u8> {
    char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
#[path = "path_tests.rs"]
mod tests;
