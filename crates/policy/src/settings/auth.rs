//! Places of credentials, and the credentials that a route asks for.

use serde::{Deserialize, Serialize};

use super::Faults;

/// The most places of a request in which a site looks for keys.
const MAX_KEY_SOURCES: usize = 8;
/// The most scopes of a route, a key or a consumer.
pub(super) const MAX_SCOPES: usize = 64;
/// The longest scope, in bytes.
const MAX_SCOPE_LEN: usize = 128;

/// A way to authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// An API key.
    Key,
    /// A JSON Web Token (RFC 7519) of one of the site's issuers.
    Jwt,
    /// A signature of the request (RFC 9421).
    Signature,
}

/// The credentials that a request needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// None: the route is public. A credential that is sent along is not looked at.
    None,
    /// One of these. The first that the request presents counts, in the order signature, key,
    /// token; the others are not looked at.
    AnyOf(Vec<AuthMethod>),
    /// All of these, and all of the same consumer where they name one.
    AllOf(Vec<AuthMethod>),
}

impl Default for Auth {
    fn default() -> Self {
        Self::AnyOf(vec![AuthMethod::Key])
    }
}

impl Auth {
    pub(super) fn check(&self, faults: &mut Faults) {
        let (field, methods) = match self {
            Self::None => return,
            Self::AnyOf(methods) => ("any_of", methods),
            Self::AllOf(methods) => ("all_of", methods),
        };
        faults.at(field, |faults| {
            if methods.is_empty() {
                faults.add(
                    "name at least one of key, jwt and signature; a public route is written \
                     \"none\"",
                );
            }
            let mut sorted = methods.clone();
            sorted.sort_unstable();
            sorted.dedup();
            if sorted.len() != methods.len() {
                faults.add("each method may be named once");
            }
        });
    }
}

/// A place in a request where a key may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "in", rename_all = "snake_case", deny_unknown_fields)]
pub enum KeySource {
    /// The token of `Authorization: Bearer` (RFC 6750 section 2.1), if it has the form of a key.
    Bearer,
    /// The password of `Authorization: Basic` (RFC 7617), with any user.
    Basic,
    /// The whole value of a header.
    Header {
        /// Its name; the case does not matter.
        name: String,
    },
    /// A parameter of the query, which is removed before the upstream.
    Query {
        /// Its name, as it is written in a URL without escapes.
        name: String,
    },
}

/// The default places of keys: `Authorization: Bearer` and `X-API-Key`.
pub(super) fn default_key_sources() -> Vec<KeySource> {
    vec![KeySource::Bearer, KeySource::Header { name: "X-API-Key".to_owned() }]
}

pub(super) fn check_key_sources(sources: &[KeySource], faults: &mut Faults) {
    if sources.is_empty() {
        faults.at("key_sources", |faults| faults.add("name at least one place"));
    }
    faults.each("key_sources", sources, MAX_KEY_SOURCES, |faults, source| match source {
        KeySource::Bearer | KeySource::Basic => {}
        KeySource::Header { name } => faults.at("name", |faults| {
            faults.header(name);
            if name.eq_ignore_ascii_case("authorization") || name.eq_ignore_ascii_case("cookie") {
                faults.add(
                    "a key is the whole value of a header; for Authorization use \
                     {\"in\": \"bearer\"} or {\"in\": \"basic\"}",
                );
            }
        }),
        KeySource::Query { name } => faults.at("name", |faults| {
            let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
            if name.is_empty() || name.len() > 64 || !name.bytes().all(unreserved) {
                faults.add(
                    "has to be 1 to 64 letters, digits, hyphens, dots, underscores and tildes",
                );
            }
        }),
    });
}

/// Scopes are tokens as in RFC 6749 section 3.3.
pub(super) fn check_scopes(scopes: &[String], faults: &mut Faults) {
    faults.each("scopes", scopes, MAX_SCOPES, |faults, scope| {
        let token = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if scope.is_empty() || scope.len() > MAX_SCOPE_LEN || !scope.bytes().all(token) {
            faults
                .add("has to be 1 to 128 visible ASCII characters without quotes and backslashes");
        }
    });
}
