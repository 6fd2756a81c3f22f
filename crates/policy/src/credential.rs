//! The credentials that a request presents.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::header_name;
use crate::key::{looks_like_key, may_be_key};
use crate::request::Request;
use crate::wire;

/// The longest value of `Authorization: Basic` that is decoded, in bytes: room for a key and a long
/// user name.
const MAX_BASIC_LEN: usize = 1024;

/// A place in which a site looks for keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// `Authorization: Bearer`.
    Bearer,
    /// The password of `Authorization: Basic`.
    Basic,
    /// The whole value of a header, by its name in lower case.
    Header(Box<str>),
    /// A parameter of the query.
    Query(Box<str>),
}

impl KeySource {
    /// The places that hold where a site has not been found yet, or says nothing:
    /// `Authorization: Bearer` and `X-API-Key`.
    pub fn defaults() -> Vec<Self> {
        vec![Self::Bearer, Self::Header("x-api-key".into())]
    }

    /// Reads a pushed place; `None` for a kind that is not known.
    pub fn decode(source: &wire::KeySource) -> Option<Self> {
        match source.kind() {
            wire::KeySourceKind::Unknown => None,
            wire::KeySourceKind::Bearer => Some(Self::Bearer),
            wire::KeySourceKind::Basic => Some(Self::Basic),
            wire::KeySourceKind::Header => Some(Self::Header(source.name.as_str().into())),
            wire::KeySourceKind::Query => Some(Self::Query(source.name.as_str().into())),
        }
    }
}

/// The key that a request presents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PresentedKey<'a> {
    /// Nothing.
    #[default]
    None,
    /// Something that is no key of ours, or several that differ.
    Unusable,
    /// One text that may be a key of ours: by its beginning and its length. The caller that looks
    /// it up looks at the rest of it first, unless it is known already
    /// ([`crate::key::Digest::of_presented`]).
    Key(KeyText<'a>),
}

/// The text of a presented key. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyText<'a>(pub Cow<'a, [u8]>);

impl fmt::Debug for KeyText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyText(redacted)")
    }
}

impl<'a> PresentedKey<'a> {
    /// Looks into these places. A header or a parameter is there for keys alone: any value of it is
    /// meant to be one. `Authorization` may be meant for somebody else: a value without the form of
    /// our keys is passed over.
    pub fn find(request: &Request<'a>, sources: &[KeySource]) -> Self {
        let mut found = Self::None;
        for source in sources {
            match source {
                KeySource::Bearer => {
                    request.authorization.iter().for_each(|value| found.add_bearer(value))
                }
                KeySource::Basic => {
                    request.authorization.iter().for_each(|value| found.add_basic(value))
                }
                KeySource::Header(name) => {
                    request
                        .values(name)
                        .for_each(|value| found.add(Cow::Borrowed(value.trim_ascii())));
                }
                KeySource::Query(name) => found.add_parameters(request, name),
            }
        }
        found
    }

    #[inline(never)]
    fn add_parameters(&mut self, request: &Request<'a>, name: &str) {
        let values = request.parameters().filter(|(known, _)| *known == name.as_bytes());
        values.for_each(|(_, value)| self.add(Cow::Borrowed(value)));
        // The filter itself put it there when the request came by for the first time.
        request.values(header_name::CREDENTIAL).for_each(|value| self.add_bearer(value));
    }

    #[inline(never)]
    fn add_bearer(&mut self, authorization: &'a [u8]) {
        if let Some(token) = bearer_token(authorization).filter(|token| looks_like_key(token)) {
            self.add(Cow::Borrowed(token));
        }
    }

    #[inline(never)]
    fn add_basic(&mut self, authorization: &[u8]) {
        if let Some(password) =
            basic_password(authorization).filter(|password| looks_like_key(password))
        {
            self.add(Cow::Owned(password));
        }
    }

    /// The same key in two places is one key; two keys are none.
    fn add(&mut self, text: Cow<'a, [u8]>) {
        if matches!(self, Self::Key(known) if known.0 == text) {
            return;
        }
        *self = match self {
            Self::None if may_be_key(&text) => Self::Key(KeyText(text)),
            _ => Self::Unusable,
        };
    }
}

/// The token of a `Bearer` value (RFC 6750 section 2.1); the scheme's case does not matter (RFC
/// 9110 section 11.1).
pub fn bearer_token(authorization: &[u8]) -> Option<&[u8]> {
    after_scheme(authorization, b"bearer ")
}

/// Returns true for an `Authorization: Basic` with a key of ours as its password.
pub(crate) fn holds_key(authorization: &[u8]) -> bool {
    basic_password(authorization).is_some_and(|password| looks_like_key(&password))
}

/// The password of a `Basic` value (RFC 7617 section 2).
fn basic_password(authorization: &[u8]) -> Option<Vec<u8>> {
    let encoded =
        after_scheme(authorization, b"basic ").filter(|encoded| encoded.len() <= MAX_BASIC_LEN)?;
    let decoded = STANDARD.decode(encoded).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    decoded.get(colon + 1..).map(<[u8]>::to_vec)
}

fn after_scheme<'v>(value: &'v [u8], scheme: &[u8]) -> Option<&'v [u8]> {
    let (start, rest) = value.split_at_checked(scheme.len())?;
    start.eq_ignore_ascii_case(scheme).then(|| rest.trim_ascii())
}

/// The request's target without the parameters that hold keys; `None` if there are none of them.
pub fn target_without_keys(request: &Request<'_>, sources: &[KeySource]) -> Option<Vec<u8>> {
    let query = request.query?;
    if !sources.iter().any(|source| matches!(source, KeySource::Query(_))) {
        return None;
    }
    let is_key = |name: &[u8]| {
        sources
            .iter()
            .any(|source| matches!(source, KeySource::Query(known) if known.as_bytes() == name))
    };
    if !request.parameters().any(|(name, _)| is_key(name)) {
        return None;
    }
    let name_of = |pair: &[u8]| pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
    let kept = query
        .split(|byte| *byte == b'&')
        .filter(|pair| !is_key(pair.get(..name_of(pair)).unwrap_or_default()));
    let mut target = request.path.to_vec();
    for (index, pair) in kept.enumerate() {
        target.push(if index == 0 { b'?' } else { b'&' });
        target.extend_from_slice(pair);
    }
    Some(target)
}

#[cfg(test)]
#[path = "credential_tests.rs"]
mod tests;
