//! An issuer as the filter uses it, and its requirements of tokens.

use std::borrow::Cow;

use super::compact::{Compact, algorithm_named};
use super::json::Json;
use super::jwk::{self, PublicKey};
use super::operation::Operation;
use super::rejected::Rejected;
use super::secret::Secret;
use super::time::{Validity, seconds_to_ms};
use super::verified::Verified;
use crate::id::{IssuerId, SiteId};
use crate::key::Digest;
use crate::settings::Algorithm;
use crate::wire;

/// A decoded [`wire::Issuer`].
pub(super) struct Issuer {
    id: IssuerId,
    /// The value that `iss` must have.
    pub(super) name: Box<str>,
    algorithms: Vec<Algorithm>,
    keys: Vec<PublicKey>,
    secret: Option<Secret>,
    audiences: Vec<Box<str>>,
    required: Vec<(Box<str>, Json)>,
    leeway_ms: u64,
    max_age_ms: Option<u64>,
    consumer_claim: Box<str>,
    require_consumer: bool,
    scope_claim: Box<str>,
    /// Header and claim.
    headers: Vec<(Box<str>, Box<str>)>,
}

impl Issuer {
    /// `None` if it cannot be understood as a whole: its tokens are refused then.
    pub(super) fn of(issuer: &wire::Issuer) -> Option<Self> {
        let required = issuer.required_claims.iter().map(|required| {
            let value = Json::parse(required.value.as_bytes())?;
            Some((required.claim.as_str().into(), value))
        });
        Some(Self {
            id: IssuerId::from_slice(&issuer.id)?,
            name: (!issuer.issuer.is_empty()).then(|| issuer.issuer.as_str().into())?,
            algorithms: issuer.algorithms.iter().filter_map(|name| algorithm_named(name)).collect(),
            keys: jwk::keys(&issuer.jwks),
            secret: Secret::of(&issuer.secret),
            audiences: issuer.audiences.iter().map(|audience| audience.as_str().into()).collect(),
            required: required.collect::<Option<_>>()?,
            leeway_ms: seconds_to_ms(issuer.leeway_s),
            max_age_ms: (issuer.max_age_s != 0).then(|| seconds_to_ms(issuer.max_age_s)),
            consumer_claim: issuer.consumer_claim.as_str().into(),
            require_consumer: issuer.require_consumer,
            scope_claim: issuer.scope_claim.as_str().into(),
            headers: issuer
                .upstream_headers
                .iter()
                .map(|header| (header.header.as_str().into(), header.claim.as_str().into()))
                .collect(),
        })
    }

    /// Checks that a key of this issuer signed the token.
    pub(super) fn check_signature(
        &self,
        token: &Compact<'_>,
        check: &mut impl FnMut(&Operation<'_>) -> bool,
    ) -> Result<(), Rejected> {
        let Compact { algorithm, message, .. } = *token;
        if !self.algorithms.contains(&algorithm) {
            return Err(Rejected::Algorithm);
        }
        if algorithm.is_symmetric() {
            let secret = self.secret.as_ref().ok_or(Rejected::Key)?;
            return if secret.check(algorithm, message, &token.signature) {
                Ok(())
            } else {
                Err(Rejected::Signature)
            };
        }
        let mut refusal = Rejected::Key;
        for key in jwk::candidates(&self.keys, token.kid.as_deref(), algorithm) {
            refusal = Rejected::Signature;
            let operation = Operation { key, algorithm, message, signature: &token.signature };
            if operation.has_right_length() && check(&operation) {
                return Ok(());
            }
        }
        Err(refusal)
    }

    /// Returns the time for which the token may be used, if its claims are as this issuer asks for
    /// now. All of this is far cheaper than a signature.
    pub(super) fn check_claims(&self, claims: &Json, now_ms: u64) -> Result<Validity, Rejected> {
        let validity = Validity::of(claims, self.leeway_ms, self.max_age_ms)?;
        validity.check(now_ms)?;
        self.check_audience(claims)?;
        if !self
            .required
            .iter()
            .all(|(claim, value)| claims.find(claim).is_some_and(|found| holds(found, value)))
        {
            return Err(Rejected::Claims);
        }
        if self.require_consumer && self.consumer(claims).is_none() {
            return Err(Rejected::Consumer);
        }
        Ok(validity)
    }

    /// Returns the claims of a token that was found right, as this site uses them.
    pub(super) fn accept(&self, site: SiteId, claims: Json, validity: Validity) -> Verified {
        let headers = self.headers.iter().filter_map(|(header, claim)| {
            let value = header_value(claims.find(claim)?)?;
            Some((header.clone(), value.into()))
        });
        Verified {
            issuer: self.id,
            subject: self
                .consumer(&claims)
                .map(|value| Digest::of_subject(site, &self.name, &value)),
            require_consumer: self.require_consumer,
            scopes: claims.find(&self.scope_claim).map(scopes).unwrap_or_default(),
            headers: headers.collect(),
            claims,
            validity,
        }
    }

    fn consumer<'c>(&self, claims: &'c Json) -> Option<Cow<'c, str>> {
        claims.find(&self.consumer_claim).and_then(Json::scalar).filter(|value| !value.is_empty())
    }

    /// RFC 7519 section 4.1.3: `aud` is a text or a list of texts.
    fn check_audience(&self, claims: &Json) -> Result<(), Rejected> {
        let known = |audience: &Json| {
            audience
                .as_text()
                .is_some_and(|audience| self.audiences.iter().any(|known| **known == *audience))
        };
        let named = match claims.get("aud") {
            _ if self.audiences.is_empty() => true,
            Some(Json::List(audiences)) => audiences.iter().any(known),
            Some(audience) => known(audience),
            None => false,
        };
        if named { Ok(()) } else { Err(Rejected::Audience) }
    }
}

/// Returns true if a claim has the value that it must have, or holds it as a list; `null` stands
/// for any value but `null`.
fn holds(found: &Json, value: &Json) -> bool {
    match (found, value) {
        (found, Json::Null) => *found != Json::Null,
        (Json::List(items), value) => items.iter().any(|item| item.same(value)),
        (found, value) => found.same(value),
    }
}

/// A text with spaces (RFC 8693 section 4.2), or a list of texts; sorted. Anything else grants
/// nothing.
fn scopes(claim: &Json) -> Vec<Box<str>> {
    let mut scopes: Vec<Box<str>> = match claim {
        Json::Text(text) => {
            text.split(' ').filter(|scope| !scope.is_empty()).map(Into::into).collect()
        }
        Json::List(items) => items.iter().filter_map(Json::as_text).map(Into::into).collect(),
        _ => Vec::new(),
    };
    scopes.sort_unstable();
    scopes.dedup();
    scopes
}

/// A scalar, or a list of scalars with commas between them. `None` for a text that could be taken
/// for something else by the upstream: control characters, which could end the header, and commas
/// in an item of a list.
fn header_value(claim: &Json) -> Option<String> {
    let value = match claim {
        Json::List(items) => {
            let items: Option<Vec<_>> =
                items.iter().map(|item| item.scalar().filter(|item| !item.contains(','))).collect();
            items?.join(",")
        }
        claim => claim.scalar()?.into_owned(),
    };
    (!value.chars().any(char::is_control)).then_some(value)
}
