//! Why a token is refused.

use thiserror::Error;

/// Why a token is refused: for metrics. Callers are never told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Error)]
pub enum Rejected {
    /// It has more than [`super::MAX_TOKEN_LEN`] bytes.
    #[error("too long")]
    TooLong,
    /// It is not three parts of base64url of which the first two are JSON objects.
    #[error("malformed")]
    Malformed,
    /// Its type is neither a general one nor that of access tokens.
    #[error("type")]
    Type,
    /// It asks for extensions that are not there.
    #[error("critical extension")]
    Critical,
    /// Its algorithm is not known, or not one that the issuer uses.
    #[error("algorithm")]
    Algorithm,
    /// It names no issuer of the site.
    #[error("issuer")]
    Issuer,
    /// The issuer has no key that fits, or several that could be meant.
    #[error("key")]
    Key,
    /// It was not signed by the issuer, or was changed since.
    #[error("signature")]
    Signature,
    /// It does not expire, has no age where one is asked for, or has a date that is none.
    #[error("undated")]
    Undated,
    /// It is for later, or from the future.
    #[error("not yet valid")]
    NotYet,
    /// It has expired, or is too old.
    #[error("expired")]
    Expired,
    /// It is for somebody else.
    #[error("audience")]
    Audience,
    /// It lacks a claim that has to be there, or has another value in it.
    #[error("claims")]
    Claims,
    /// It names no consumer, and has to.
    #[error("consumer")]
    Consumer,
}
