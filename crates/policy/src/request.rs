//! What of a request a decision needs, taken from its header map in one pass.

use std::fmt;

use crate::key::{Digest, looks_like_key};

/// The headers that only Tenantry may set. What a client sends under this prefix is removed before anything else.
pub const RESERVED_PREFIX: &str = "x-tenantry-";

/// The header that carries an API key by itself.
pub const API_KEY_HEADER: &str = "x-api-key";

/// The relevant parts of a request's header map.
#[derive(Clone, Debug, Default)]
pub struct Request<'a> {
    /// `:authority`.
    pub authority: &'a [u8],
    /// `:method`.
    pub method: &'a [u8],
    /// `:path` without its query.
    pub path: &'a [u8],
    /// The names of the client's headers that have to be removed, each once or more.
    pub reserved: Vec<&'a str>,
    /// What the request presents as its key.
    pub credential: Credential<'a>,
}

/// What a request presents as its key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Credential<'a> {
    /// Nothing.
    #[default]
    None,
    /// Something that is no key of ours, or several that differ.
    Unusable,
    /// One well-formed key.
    Key(PresentedKey<'a>),
}

/// A well-formed key, and where it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresentedKey<'a> {
    /// Its text.
    pub text: KeyText<'a>,
    /// The digest under which it is looked up.
    pub digest: Digest,
    /// Whether it was in `Authorization`.
    pub in_authorization: bool,
    /// Whether it was in `X-API-Key`.
    pub in_api_key: bool,
}

/// The text of a presented key. Its `Debug` does not show it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyText<'a>(pub &'a [u8]);

impl fmt::Debug for KeyText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyText(redacted)")
    }
}

impl<'a> Credential<'a> {
    /// Takes in one more place where a key may be. The same key in two places is one key; two keys are none.
    fn add(&mut self, text: &'a [u8], authorization: bool) {
        *self = match (std::mem::take(self), Digest::of_presented(text)) {
            (Self::None, Some(digest)) => Self::Key(PresentedKey {
                text: KeyText(text),
                digest,
                in_authorization: authorization,
                in_api_key: !authorization,
            }),
            (Self::Key(mut key), Some(digest)) if key.digest == digest => {
                key.in_authorization |= authorization;
                key.in_api_key |= !authorization;
                Self::Key(key)
            }
            _ => Self::Unusable,
        };
    }
}

impl<'a> Request<'a> {
    /// Reads a header map whose names are in lower case, pseudo-headers included, as Envoy gives it.
    ///
    /// A key is the whole value of `X-API-Key`, or the token of `Authorization: Bearer` (RFC 6750). Where there is an
    /// `X-API-Key`, `Authorization` belongs to the upstream, unless its token has the form of our keys.
    pub fn read(headers: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        let mut request = Self::default();
        let mut bearer = Vec::new();
        for (name, value) in headers {
            match name {
                ":authority" => request.authority = value,
                ":method" => request.method = value,
                ":path" => request.path = value.split(|byte| *byte == b'?').next().unwrap_or_default(),
                "authorization" => bearer.push(bearer_token(value)),
                API_KEY_HEADER => request.credential.add(value.trim_ascii(), false),
                name if name.starts_with(RESERVED_PREFIX) => request.reserved.push(name),
                _ => {}
            }
        }
        let alone = request.credential == Credential::None;
        for token in bearer {
            if alone || token.is_some_and(looks_like_key) {
                request.credential.add(token.unwrap_or_default(), true);
            }
        }
        request
    }
}

/// The token of a `Bearer` value; the scheme's case does not matter (RFC 9110 section 11.1).
fn bearer_token(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
