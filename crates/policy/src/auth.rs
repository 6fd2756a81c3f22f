//! Authentication: the credentials of a request against the requirement of its route.

use std::rc::Rc;

use crate::consumer::{Consumer, Grant};
use crate::credential::{PresentedKey, bearer_token};
use crate::digest_field::Expected;
use crate::id::{ConsumerId, KeyId};
use crate::jwt::Verified;
use crate::key::{CredentialKind, Digest, KeyRecord, looks_like_key};
use crate::request::Request;
use crate::requirement::Requirement;
use crate::settings::AuthMethod;
use crate::signature::Presented;
use crate::site::Site;
use crate::state::State;

/// The caller of a request, with the facts found on the way.
#[derive(Debug, Default)]
pub(crate) struct Identity {
    /// The consumer; `None` on public routes, and for tokens that need none.
    pub(crate) consumer: Option<ConsumerId>,
    /// The credential; of several the first in the order signature, key, token.
    pub(crate) key: Option<KeyId>,
    /// The number of the consumer's plan; 0 for none.
    pub(crate) plan: u16,
    /// All credentials, for the grant of each.
    keys: Vec<KeyId>,
    /// The consumer's scopes, limits and addresses; `None` if it has none of its own.
    pub(crate) details: Option<Rc<Consumer>>,
    /// The token.
    pub(crate) token: Option<Rc<Verified>>,
    /// The digests that the body must have; `None` if it may have any.
    pub(crate) body: Option<Expected>,
}

/// The request is not from whom it has to be from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Denied {
    /// True if it presented a credential of a kind that would do.
    pub(crate) presented: bool,
}

/// A credential is there, and does not hold.
const WRONG: Denied = Denied { presented: true };
/// There is no credential of the kind.
const MISSING: Denied = Denied { presented: false };

impl Identity {
    /// Returns the grants of the consumer and of each credential.
    pub(crate) fn grants(&self) -> impl Iterator<Item = &Grant> {
        let details = self.details.as_deref();
        let own = details.map(|details| &details.own);
        own.into_iter().chain(
            self.keys.iter().filter_map(move |key| details.and_then(|details| details.key(*key))),
        )
    }

    /// Returns true if the caller has a scope.
    pub(crate) fn has_scope(&self, scope: &str) -> bool {
        let mut granted = self.grants().flat_map(|grant| &grant.scopes);
        granted.any(|granted| **granted == *scope)
            || self
                .token
                .as_ref()
                .is_some_and(|token| token.scopes().iter().any(|granted| **granted == *scope))
    }

    /// Takes in one more credential; all have to be of the same consumer.
    fn join(&mut self, record: &KeyRecord, state: &mut impl State) -> Result<(), Denied> {
        if self.consumer.is_some_and(|consumer| consumer != record.consumer) {
            return Err(WRONG);
        }
        self.consumer = Some(record.consumer);
        self.plan = record.plan;
        self.key.get_or_insert(record.key);
        if record.has_details { self.join_details(record, state) } else { Ok(()) }
    }

    #[inline(never)]
    fn join_details(&mut self, record: &KeyRecord, state: &mut impl State) -> Result<(), Denied> {
        self.keys.push(record.key);
        if self.details.is_none() {
            // The record says that there are details, and they have not come yet or cannot be read:
            // they may restrict.
            self.details = Some(state.consumer(record.consumer).ok_or(WRONG)?);
        }
        Ok(())
    }
}

/// One request in front of one site.
pub(crate) struct Authenticate<'r, 'a, S> {
    pub(crate) request: &'r Request<'a>,
    pub(crate) site: &'r Site,
    /// The key that the request presents, looked for in the site's places.
    pub(crate) key: &'r PresentedKey<'a>,
    /// True if the request came by before: its nonce has been known since then.
    pub(crate) counted: bool,
    pub(crate) state: &'r mut S,
    pub(crate) now_ms: u64,
}

impl<S: State> Authenticate<'_, '_, S> {
    /// Checks the requirement. If one of several ways will do, the first that is presented counts.
    pub(crate) fn against(&mut self, requirement: Requirement) -> Result<Identity, Denied> {
        let mut identity = Identity::default();
        match requirement {
            Requirement::Public => {}
            Requirement::AnyOf(methods) => {
                if methods.has(AuthMethod::Signature) && self.request.signed {
                    self.signature(&mut identity)?;
                } else if methods.has(AuthMethod::Key) && *self.key != PresentedKey::None {
                    self.key(&mut identity)?;
                } else if methods.has(AuthMethod::Jwt) {
                    self.token(&mut identity)?;
                } else {
                    return Err(MISSING);
                }
            }
            Requirement::AllOf(methods) => {
                if methods.has(AuthMethod::Signature) {
                    self.signature(&mut identity)?;
                }
                if methods.has(AuthMethod::Key) {
                    self.key(&mut identity)?;
                }
                if methods.has(AuthMethod::Jwt) {
                    self.token(&mut identity)?;
                }
            }
        }
        Ok(identity)
    }

    fn key(&mut self, identity: &mut Identity) -> Result<(), Denied> {
        match self.key {
            PresentedKey::None => Err(MISSING),
            PresentedKey::Unusable => Err(WRONG),
            PresentedKey::Key(text) => {
                let record = self.state.api_key(&text.0, Some(self.site.id));
                let record = record
                    .filter(|record| self.holds(record, CredentialKind::ApiKey))
                    .ok_or(WRONG)?;
                identity.join(&record, self.state)
            }
        }
    }

    #[inline(never)]
    fn token(&mut self, identity: &mut Identity) -> Result<(), Denied> {
        let bearers = self.request.authorization.iter().filter_map(|value| bearer_token(value));
        let mut tokens = bearers.filter(|token| !looks_like_key(token));
        let token = tokens.next().ok_or(MISSING)?;
        if tokens.any(|other| other != token) || self.site.issuers.is_empty() {
            return Err(WRONG);
        }
        let verified = self.state.token(self.site, token, self.now_ms).ok_or(WRONG)?;
        match verified.subject().and_then(|digest| self.record(digest, CredentialKind::Subject)) {
            Some(record) => identity.join(&record, self.state)?,
            None if verified.require_consumer() => return Err(WRONG),
            None => {}
        }
        identity.token = Some(verified);
        Ok(())
    }

    #[inline(never)]
    fn signature(&mut self, identity: &mut Identity) -> Result<(), Denied> {
        let headers = self.request.named_headers();
        let presented = Presented::parse(&headers).map_err(|_| WRONG)?.ok_or(MISSING)?;
        let id: KeyId = presented.keyid().parse().map_err(|_| WRONG)?;
        let record =
            self.record(&Digest::of_signing_key(id), CredentialKind::SigningKey).ok_or(WRONG)?;
        identity.join(&record, self.state)?;
        let key =
            identity.details.as_ref().and_then(|details| details.signing_key(id)).ok_or(WRONG)?;
        let rules = self.site.signatures.as_ref().ok_or(WRONG)?;
        let verified = presented
            .verify(&key, &rules.rules, self.request.has_body, self.now_ms)
            .map_err(|_| WRONG)?;
        if let Some(nonce) = verified.nonce
            && !self.counted
            && !self.state.fresh(
                self.site.id,
                verified.keyid,
                nonce,
                verified.accepted_until_ms,
                self.now_ms,
            )
        {
            return Err(WRONG);
        }
        identity.body = verified.content_digest;
        Ok(())
    }

    fn record(&mut self, digest: &Digest, kind: CredentialKind) -> Option<KeyRecord> {
        self.state.key(digest).filter(|record| self.holds(record, kind))
    }

    /// Returns true for a record of this kind and site that has not expired.
    fn holds(&self, record: &KeyRecord, kind: CredentialKind) -> bool {
        record.kind == kind && record.site == self.site.id && !record.expired(self.now_ms)
    }
}
