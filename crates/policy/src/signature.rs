//! Signed requests: HTTP Message Signatures (RFC 9421), verified with HMAC-SHA256 or Ed25519.
//!
//! It takes two steps, so that the caller can look the key up in between: [`Presented::parse`]
//! finds the signature of a request and the key that it names, [`Presented::verify`] checks it.
//!
//! # The text that a client has to sign
//!
//! The gateway verifies the request as Envoy's connection manager hands it to its filters, so a
//! client signs the request in that form:
//!
//! - `@path`, `@query`, `@request-target` and `@target-uri` after path normalisation: no dot
//!   segments, no `//`, no percent-encoded unreserved characters. A client that sends such a path
//!   in the first place need do nothing. The absolute form of a request target (HTTP/1.1 to a
//!   proxy) counts as its origin form.
//! - `@authority` and the authority in `@target-uri` in lower case, without the scheme's default
//!   port. `@scheme` is how the client reached the edge: `https`, or `http`.
//! - `"host"` is `:authority` as it was sent; `@authority` is the better choice.
//! - A field that is sent in several lines is best sent in one: Envoy joins the lines of some
//!   well-known fields (`accept`, `cache-control`, `content-type` and others) with `,` alone, where
//!   RFC 9421 section 2.1 wants `, ` (seen on Envoy 1.40.0).
//! - Connection fields, and those that Envoy itself sets (`x-forwarded-for`, `x-request-id` and the
//!   like), cannot be covered.
//!
//! # Unsupported, and therefore refused
//!
//! `;req` and `;tr`, `@status`, `;sf` on fields whose structured type IANA's registry of field
//! names does not tell, derived components that are not known here, and algorithms other than the
//! two. Nothing that a signature covers is ever skipped.

mod component;
mod key;
mod message;
mod presented;
mod structured;

use thiserror::Error;

pub use component::{Component, ComponentError};
pub use key::{Algorithm, Key, MAX_HMAC_KEY_LEN, MIN_HMAC_KEY_LEN};
pub use message::Headers;
pub use presented::{MAX_COMPONENTS, MAX_FIELD_LEN, MAX_PARAMETER_LEN, Presented, TAG, base};

use crate::digest_field::Expected;

/// A site's requirements of a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The components that have to be covered, each exactly so: `@path` is not covered by
    /// `@target-uri`.
    pub required: Vec<Component>,
    /// The time after `created` for which a signature is accepted, in seconds.
    pub max_age_s: u32,
    /// The most that `created` may lie in the future, in seconds, for clients with wrong clocks.
    pub max_skew_s: u32,
    /// True if there has to be a `nonce`.
    pub require_nonce: bool,
    /// True if a request with a body has to cover its `Content-Digest`.
    pub require_content_digest: bool,
}

impl Rules {
    /// Reads pushed rules. `None` if a component is none: a rule that cannot be read must not turn
    /// into one that asks less.
    pub fn decode(rules: &crate::wire::SignatureRules) -> Option<Self> {
        Some(Self {
            required: rules
                .components
                .iter()
                .map(|name| name.parse().ok())
                .collect::<Option<_>>()?,
            max_age_s: rules.max_age_s,
            max_skew_s: rules.skew_s,
            require_nonce: rules.require_nonce,
            require_content_digest: rules.require_content_digest,
        })
    }
}

impl Default for Rules {
    /// The least that makes sense: five minutes of age, one of skew, and the components that tie a
    /// signature to one resource. The default of sites is in
    /// [`crate::settings::SignatureSettings`].
    fn default() -> Self {
        Self {
            required: vec![
                Component::Method,
                Component::Authority,
                Component::Path,
                Component::Query,
            ],
            max_age_s: 300,
            max_skew_s: 60,
            require_nonce: false,
            require_content_digest: false,
        }
    }
}

/// A signature that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<'p> {
    /// The key that made it.
    pub keyid: &'p str,
    /// The `nonce`, if there is one; it has to be refused when it comes again before
    /// `accepted_until_ms`.
    pub nonce: Option<&'p str>,
    /// The time from which the same signature is too old, in milliseconds since the Unix epoch.
    pub accepted_until_ms: u64,
    /// The digests that the body must have, if the whole `Content-Digest` field is covered.
    pub content_digest: Option<Expected>,
}

/// Why a signature is refused. For logs and tests; a caller of an API gets the same answer for all
/// of them.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Rejected {
    /// One of the two fields is there without the other.
    #[error("`Signature-Input` and `Signature` come together")]
    HalfPresent,
    /// One of the two fields is longer than [`MAX_FIELD_LEN`].
    #[error("`Signature-Input` and `Signature` have at most {MAX_FIELD_LEN} bytes each")]
    TooLong,
    /// One of the two fields is no dictionary of structured fields.
    #[error("`Signature-Input` or `Signature` is no dictionary (RFC 9651)")]
    Malformed,
    /// No signature has a label in both fields, a `keyid`, and an algorithm that is supported.
    #[error(
        "no signature has a `keyid`, an algorithm that is supported, and its label in both fields"
    )]
    NoneUsable,
    /// Several signatures are usable, and it is not one alone that has the tag [`TAG`].
    #[error("of several signatures, one alone has to have the tag `{TAG}`")]
    Ambiguous,
    /// More than [`MAX_COMPONENTS`].
    #[error("a signature covers at most {MAX_COMPONENTS} components")]
    TooManyComponents,
    /// A covered component that is not supported, or is none.
    #[error(transparent)]
    Component(#[from] ComponentError),
    /// A component is covered twice (RFC 9421 section 2).
    #[error("`{0}` is covered twice")]
    Repeated(Component),
    /// A parameter of the wrong type, or longer than [`MAX_PARAMETER_LEN`].
    #[error("the parameter `{0}` has a wrong type or length")]
    Parameter(&'static str),
    /// `alg` is not the algorithm of the key.
    #[error("`alg` is not the algorithm of the key")]
    Algorithm,
    /// There is no `created`.
    #[error("`created` is missing")]
    NoCreated,
    /// `created` lies further in the future than the site accepts.
    #[error("`created` is in the future")]
    TooEarly,
    /// `created` lies further in the past than the site accepts.
    #[error("`created` is too long ago")]
    TooOld,
    /// `expires` has passed.
    #[error("the signature has expired")]
    Expired,
    /// There is no `nonce`, and the site requires one.
    #[error("`nonce` is missing")]
    NoNonce,
    /// A component that the site requires is not covered.
    #[error("`{0}` is not covered")]
    NotCovered(Component),
    /// The request has a body, and its `Content-Digest` is not covered though the site requires it.
    #[error("`content-digest` is not covered")]
    NoContentDigest,
    /// The covered `Content-Digest` has nothing that can be checked.
    #[error("the covered `content-digest` has no digest that can be checked")]
    ContentDigest,
    /// The request does not have a component that is covered, or not in a form that has one
    /// meaning.
    #[error("the request has no usable value of `{0}`")]
    Value(Component),
    /// The signature base is longer than any request that Envoy lets through would need.
    #[error("what the signature covers is too long")]
    BaseTooLong,
    /// The signature is not the key's over this request.
    #[error("the signature does not match")]
    Signature,
}

#[cfg(test)]
#[path = "signature/base_tests.rs"]
mod base_tests;
#[cfg(test)]
#[path = "signature_tests.rs"]
mod tests;
#[cfg(test)]
#[path = "signature/vectors_tests.rs"]
mod vectors;
