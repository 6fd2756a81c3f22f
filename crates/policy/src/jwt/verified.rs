//! The claims of a verified token.

use std::borrow::Cow;
use std::fmt;

use super::json::Json;
use super::time::Validity;
use crate::id::IssuerId;
use crate::key::Digest;

/// A token whose signature and claims are right. It is so only for the site and the issuers that it
/// was verified for, and only while [`Verified::is_valid`].
pub struct Verified {
    pub(super) issuer: IssuerId,
    pub(super) subject: Option<Digest>,
    pub(super) require_consumer: bool,
    pub(super) scopes: Vec<Box<str>>,
    pub(super) headers: Vec<(Box<str>, Box<str>)>,
    pub(super) claims: Json,
    pub(super) validity: Validity,
}

impl Verified {
    /// The issuer of the token.
    pub fn issuer(&self) -> IssuerId {
        self.issuer
    }

    /// The digest under which the consumer is found that the token names, by
    /// [`Digest::of_subject`]; `None` if it names none.
    pub fn subject(&self) -> Option<&Digest> {
        self.subject.as_ref()
    }

    /// True if the token is to be refused if its consumer is not known. It names one then.
    pub fn require_consumer(&self) -> bool {
        self.require_consumer
    }

    /// The scopes that the token grants, sorted.
    pub fn scopes(&self) -> &[Box<str>] {
        &self.scopes
    }

    /// Headers for the upstream: names in lower case, and values without control characters. Claims
    /// that are not there, or that cannot be a header, have none: see
    /// [`super::Issuers::upstream_headers`] for the ones to remove first.
    pub fn upstream_headers(&self) -> &[(Box<str>, Box<str>)] {
        &self.headers
    }

    /// The text, integer or truth value of a claim, by its name; a dot leads into an object. `None`
    /// for other values, which nothing can be counted by.
    pub fn claim(&self, name: &str) -> Option<Cow<'_, str>> {
        self.claims.find(name)?.scalar()
    }

    /// The first moment at which the token may be used, in milliseconds since the Unix epoch,
    /// leeway included.
    pub fn valid_from_ms(&self) -> u64 {
        self.validity.from_ms
    }

    /// The first moment at which it may not be used any more.
    pub fn valid_until_ms(&self) -> u64 {
        self.validity.until_ms
    }

    /// True if the token may be used now.
    pub fn is_valid(&self, now_ms: u64) -> bool {
        self.validity.check(now_ms).is_ok()
    }

    /// About how many bytes of memory this takes.
    pub(super) fn held_bytes(&self) -> usize {
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| size_of_val(&(name, value)) + name.len() + value.len());
        let scopes = self.scopes.iter().map(|scope| size_of_val(scope) + scope.len());
        size_of::<Self>()
            + self.claims.held_bytes()
            + headers.sum::<usize>()
            + scopes.sum::<usize>()
    }
}

/// Claims are about persons, so they are not shown.
impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified")
            .field("issuer", &self.issuer)
            .field("validity", &self.validity)
            .finish_non_exhaustive()
    }
}
