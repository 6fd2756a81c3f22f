//! JSON Web Tokens (RFC 7519), as the issuers of a site sign them (JWS, RFC 7515).
//!
//! [`verify`] returns the claims of a token, or why it is refused. It is strict where RFC 8725 asks
//! for it: a token names its issuer; the issuer's list of algorithms decides, and the type of its
//! keys; a token has to expire. Keys that a token brings along are never looked at. Everything that
//! is cheap is checked first, so that most bad tokens cost no signature, which is the one step that
//! can be handed to Envoy ([`Operation`]). [`TokenCache`] keeps verified tokens.

mod cache;
mod compact;
mod der;
mod issuer;
mod json;
mod jwk;
mod operation;
mod rejected;
mod secret;
mod time;
mod verified;

use std::fmt;

pub use cache::{MAX_CACHE_BYTES, TokenCache};
pub use compact::MAX_TOKEN_LEN;
pub use jwk::{MAX_KEYS, PRIVATE_MEMBERS, PublicKey, has_key_for};
pub use operation::{ENVOY_FUNCTION, Operation, check_here, envoy_agrees};
pub use rejected::Rejected;
pub use verified::Verified;

use self::compact::Compact;
use self::issuer::Issuer;
use self::json::Json;
use crate::id::SiteId;
use crate::wire;

/// The issuers of a site, with their keys, decoded once for each version of the site's policy.
pub struct Issuers {
    site: SiteId,
    issuers: Vec<Issuer>,
    headers: Vec<Box<str>>,
}

impl Issuers {
    /// Reads the issuers of a site's policy. One that cannot be used, or a key that cannot, is left
    /// out: its tokens are refused, and the others go on.
    pub fn decode(site: SiteId, issuers: &[wire::Issuer]) -> Self {
        let headers = issuers.iter().flat_map(|issuer| &issuer.upstream_headers);
        let mut headers: Vec<Box<str>> =
            headers.map(|header| header.header.as_str().into()).collect();
        headers.sort_unstable();
        headers.dedup();
        Self { site, issuers: issuers.iter().filter_map(Issuer::of).collect(), headers }
    }

    /// True if no token can be accepted.
    pub fn is_empty(&self) -> bool {
        self.issuers.is_empty()
    }

    /// The headers, in lower case, that only tokens may set for the upstream: they have to be
    /// removed from every request of the site, with any credential. Those of issuers that were left
    /// out are among them.
    pub fn upstream_headers(&self) -> &[Box<str>] {
        &self.headers
    }
}

impl fmt::Debug for Issuers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.issuers.iter().map(|issuer| &issuer.name)).finish()
    }
}

/// Returns the claims of a token, if an issuer of the site signed it and it may be used now.
///
/// `check` answers whether a signature under a public key is right: [`check_here`] does that, and
/// Envoy can. It is called for at most four keys, after all else was found right. Shared secrets
/// are not handed to it.
pub fn verify(
    issuers: &Issuers,
    token: &[u8],
    now_ms: u64,
    mut check: impl FnMut(&Operation<'_>) -> bool,
) -> Result<Verified, Rejected> {
    let token = Compact::parse(token)?;
    let claims = Json::parse(&token.payload).filter(Json::is_object).ok_or(Rejected::Malformed)?;
    let name = claims.get("iss").and_then(Json::as_text).ok_or(Rejected::Issuer)?;
    let issuer =
        issuers.issuers.iter().find(|issuer| *issuer.name == *name).ok_or(Rejected::Issuer)?;
    let validity = issuer.check_claims(&claims, now_ms)?;
    issuer.check_signature(&token, &mut check)?;
    Ok(issuer.accept(issuers.site, claims, validity))
}

#[cfg(test)]
#[path = "tests/mod.rs"]
mod tests;
