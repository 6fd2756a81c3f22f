//! The decision about a request: where it goes, or why it is refused.

use std::borrow::Cow;
use std::net::IpAddr;
use std::rc::Rc;

use crate::admission::{Admitted, Counted};
use crate::auth::{Authenticate, Denied, Identity};
use crate::concurrency::Entrance;
use crate::credential::{KeySource, PresentedKey, bearer_token, holds_key, target_without_keys};
use crate::digest_field::Expected;
use crate::header_name;
use crate::id::{ConsumerId, KeyId, RouteId, SiteId, TenantId};
use crate::key::{Digest, looks_like_key};
use crate::method::Methods;
use crate::path;
use crate::refusal::{RateLimitFields, Refusal};
use crate::request::Request;
use crate::router::RouteMatch;
use crate::site::{Route, Site};
use crate::state::{Reached, State};

/// The decision about a request, and the caller, as far as that was found out.
#[derive(Debug)]
pub struct Decision<'a> {
    /// The caller and the target.
    pub who: Who,
    /// Let it go, or answer it here.
    pub outcome: Result<Forward<'a>, Refusal>,
}

/// The caller of a request, and its target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Who {
    /// The site and its owner.
    pub site: Option<(TenantId, SiteId)>,
    /// The route.
    pub route: Option<RouteId>,
    /// The consumer.
    pub consumer: Option<ConsumerId>,
    /// The credential.
    pub key: Option<KeyId>,
}

/// A request that is let go.
#[derive(Debug)]
pub struct Forward<'a> {
    /// The site.
    pub site: Rc<Site>,
    /// The route: an index for [`Site::route`]. `None` where routes are not asked for, and none
    /// fits.
    pub route: Option<usize>,
    /// The changes of the headers, in this order.
    pub edits: Vec<Edit<'a>>,
    /// The `RateLimit` headers of the answer.
    pub rate_limit: Option<RateLimitFields>,
    /// The digests that the body must have, and the most bytes that it may have: the request waits
    /// until the body was seen.
    pub body: Option<(Expected, usize)>,
    /// True if the request may come by again and must not be counted twice; [`Mode::counted`] says
    /// so if it does. It is set for limits until the site has answered recently, and always for
    /// signatures, which would be refused as replays the second time.
    pub counted: bool,
}

/// One change of a request's headers. Its values may be secret, so that its `Debug` shows the names
/// alone.
#[derive(Clone, PartialEq, Eq)]
pub enum Edit<'a> {
    /// The header has this one value.
    Set(Cow<'a, str>, Cow<'a, [u8]>),
    /// The header has this value too.
    Add(&'static str, Cow<'a, [u8]>),
    /// The header is not there.
    Remove(&'a [u8]),
}

/// The way in which a filter is used, by its configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mode {
    /// False if a request needs a route of its site. Otherwise one without is let go by the site's
    /// own requirement, and Envoy's configuration decides about it.
    pub routes_optional: bool,
    /// True if credentials are removed here and now. Otherwise they are moved to
    /// [`header_name::CREDENTIAL`], and Envoy's route removes them.
    pub remove_credentials: bool,
    /// True if the request came by before, and was counted then: Envoy has loaded the routes of its
    /// site since.
    pub counted: bool,
}

/// Decides about a request. `now_ms` is in milliseconds since the Unix epoch.
///
/// The order is part of the contract: a host that no site owns answers 404 with any credentials;
/// every failure to authenticate answers the same 403, unless the site wants challenges; and only
/// an authenticated caller learns which paths and methods exist.
pub fn decide<'a, S: State>(
    request: &Request<'a>,
    mode: Mode,
    state: &mut S,
    now_ms: u64,
) -> Decision<'a> {
    let mut who = Who::default();
    let outcome = Deciding { request, mode, state, now_ms, who: &mut who }.decide();
    Decision { who, outcome }
}

struct Deciding<'r, 'a, S> {
    request: &'r Request<'a>,
    mode: Mode,
    state: &'r mut S,
    now_ms: u64,
    who: &'r mut Who,
}

impl<'a, S: State> Deciding<'_, 'a, S> {
    fn decide(&mut self) -> Result<Forward<'a>, Refusal> {
        let (site, key) = self.site()?;
        self.who.site = Some((site.tenant, site.id));
        if site.suspended {
            return Err(Refusal::Suspended);
        }
        let path = path::canonical(self.request.path);
        let method = Methods::of_request(self.request.method).unwrap_or(Methods::NONE);
        let found = path.as_ref().map_or(RouteMatch::None, |path| site.find(method, path));
        let route = match found {
            RouteMatch::Route(at) => site.route(at).map(|route| (at, route)),
            _ => None,
        };
        self.who.route = route.map(|(_, route)| route.id);
        let identity = self.authenticate(&site, route.map(|(_, route)| route), &key)?;
        self.who.consumer = identity.consumer;
        self.who.key = identity.key;
        if path.is_err() {
            return Err(Refusal::MalformedPath);
        }
        match found {
            RouteMatch::Route(_) => {}
            _ if self.mode.routes_optional => {}
            RouteMatch::OtherMethods(allowed) => return Err(Refusal::MethodNotAllowed(allowed)),
            RouteMatch::None => return Err(Refusal::NoRoute),
        }
        let body = match &identity.body {
            Some(expected) => self.body(&site, expected)?,
            None => None,
        };
        let admitted = self.admit(&site, route.map(|(_, route)| route), &identity)?;
        let edits = self.edits(&site, &key, &identity);
        let counted = self.request.signed || (admitted.is_taken() && !site.is_routed(self.now_ms));
        let rate_limit = admitted.into_fields();
        Ok(Forward { route: route.map(|(at, _)| at), edits, rate_limit, body, counted, site })
    }

    /// The site, by the host or by the key, and the key. At another tenant's listener a site is as
    /// absent as one that nobody has.
    fn site(&mut self) -> Result<(Rc<Site>, PresentedKey<'a>), Refusal> {
        match self.state.host(self.request.authority).ok_or(Refusal::UnknownHost)? {
            Reached::Site(site) => {
                if !self.request.may_reach(site.tenant) {
                    return Err(Refusal::UnknownHost);
                }
                let key = PresentedKey::find(self.request, &site.key_sources);
                Ok((site, key))
            }
            Reached::SharedApi => self.site_by_key().ok_or(Refusal::Forbidden),
        }
    }

    /// The site that the key belongs to.
    #[inline(never)]
    fn site_by_key(&mut self) -> Option<(Rc<Site>, PresentedKey<'a>)> {
        let key = PresentedKey::find(self.request, &KeySource::defaults());
        let PresentedKey::Key(found) = &key else { return None };
        let record = self.state.api_key(&found.0, None)?;
        let site =
            self.state.site(record.site).filter(|site| self.request.may_reach(site.tenant))?;
        (!record.expired(self.now_ms)).then_some((site, key))
    }

    fn authenticate(
        &mut self,
        site: &Site,
        route: Option<&Route>,
        key: &PresentedKey<'a>,
    ) -> Result<Identity, Refusal> {
        // A client at a forbidden address is told nothing else, not even whether its credential is
        // good.
        if site.ip.as_ref().is_some_and(|ip| !ip.permit(self.address())) {
            return Err(Refusal::Forbidden);
        }
        let requirement = route.and_then(|route| route.requirement).unwrap_or(site.requirement);
        let mut authenticate = Authenticate {
            request: self.request,
            site,
            key,
            counted: self.mode.counted,
            state: &mut *self.state,
            now_ms: self.now_ms,
        };
        let identity =
            authenticate.against(requirement).map_err(|Denied { presented }| {
                match site.challenges {
                    true => Refusal::Unauthenticated { presented },
                    false => Refusal::Forbidden,
                }
            })?;
        if identity.details.is_some() && !self.comes_from_where_it_may(&identity) {
            return Err(Refusal::Forbidden);
        }
        match route {
            Some(route) if !route.scopes.is_empty() => self.check_scopes(site, route, &identity)?,
            _ => {}
        }
        Ok(identity)
    }

    /// Returns true if the consumer and all credentials may be used from the client's address.
    #[inline(never)]
    fn comes_from_where_it_may(&mut self, identity: &Identity) -> bool {
        let restricted = identity.grants().any(|grant| grant.ip.is_some());
        let address = if restricted { self.address() } else { None };
        identity
            .grants()
            .filter_map(|grant| grant.ip.as_ref())
            .all(|addresses| addresses.permit(address))
    }

    /// Checks that the caller has all scopes that a route asks for.
    #[inline(never)]
    fn check_scopes(&self, site: &Site, route: &Route, identity: &Identity) -> Result<(), Refusal> {
        match route.scopes.iter().all(|scope| identity.has_scope(scope)) {
            true => Ok(()),
            false if site.challenges => Err(Refusal::InsufficientScope(route.scopes.join(" "))),
            false => Err(Refusal::Forbidden),
        }
    }

    fn address(&mut self) -> Option<IpAddr> {
        self.state.client_address(self.request.client_address)
    }

    /// Returns the digests and the size that the body must keep to. A request without a body is
    /// checked at once.
    #[inline(never)]
    fn body(&self, site: &Site, expected: &Expected) -> Result<Option<(Expected, usize)>, Refusal> {
        if !self.request.has_body {
            return if expected.start().finish() { Ok(None) } else { Err(Refusal::Forbidden) };
        }
        let max_bytes = site.signatures.as_ref().map_or(0, |rules| rules.max_body_bytes);
        let too_large = |len| usize::try_from(len).map_or(true, |len| len > max_bytes);
        match self.request.content_length.is_some_and(too_large) {
            true => Err(Refusal::BodyTooLarge { max_bytes }),
            false => Ok(Some((expected.clone(), max_bytes))),
        }
    }

    fn admit(
        &mut self,
        site: &Site,
        route: Option<&Route>,
        identity: &Identity,
    ) -> Result<Admitted, Refusal> {
        match self.state.enter(site.tenant, site.max_concurrent, site.weight, self.now_ms) {
            Entrance::Entered => {}
            Entrance::Full => return Err(Refusal::TooManyAtOnce),
            Entrance::Shed => return Err(Refusal::Overloaded),
        }
        if self.mode.counted {
            return Ok(Admitted::NothingTaken);
        }
        let request = self.request;
        let counted = Counted { request, site, route, identity, now_ms: self.now_ms };
        let admitted = counted
            .admit(self.state, &mut |state: &mut S| state.client_address(request.client_address));
        if admitted.is_err() {
            self.state.leave(site.tenant, self.now_ms);
        }
        admitted
    }

    fn edits(&self, site: &Site, key: &PresentedKey<'a>, identity: &Identity) -> Vec<Edit<'a>> {
        let mut edits = Vec::new();
        let keep = !self.mode.remove_credentials;
        if let Some(target) = target_without_keys(self.request, &site.key_sources) {
            edits.push(Edit::Set(":path".into(), target.into()));
            if let (PresentedKey::Key(found), true) = (key, keep)
                && Digest::of_presented(&found.0).is_some()
            {
                edits.push(Edit::Add(
                    header_name::CREDENTIAL,
                    [b"Bearer ", &*found.0].concat().into(),
                ));
            }
        }
        if !site.forward_credentials && !self.request.authorization.is_empty() {
            self.take_authorization(site, identity, keep, &mut edits);
        }
        if self.mode.remove_credentials {
            self.remove_keys(site, &mut edits);
        }
        if !site.issuers.upstream_headers().is_empty() {
            self.set_claims(site, identity, &mut edits);
        }
        edits
    }

    /// Puts claims of the token into the headers that the site's issuers have for that, in the
    /// place of the client's own.
    #[inline(never)]
    fn set_claims(&self, site: &Site, identity: &Identity, edits: &mut Vec<Edit<'a>>) {
        let claims = identity.token.as_ref().map_or(&[][..], |token| token.upstream_headers());
        let removed = |name: &[u8]| {
            site.issuers.upstream_headers().iter().any(|header| header.as_bytes() == name)
        };
        let sent = self.request.headers.iter().map(|(name, _)| *name).filter(|name| removed(name));
        edits.extend(sent.map(Edit::Remove));
        edits.extend(claims.iter().map(|(name, value)| {
            Edit::Set(name.to_string().into(), value.as_bytes().to_vec().into())
        }));
    }

    /// Takes `Authorization` away if it held a credential for the gateway. A credential for the
    /// upstream stays.
    #[inline(never)]
    fn take_authorization(
        &self,
        site: &Site,
        identity: &Identity,
        keep: bool,
        edits: &mut Vec<Edit<'a>>,
    ) {
        let ours = |value: &[u8]| match bearer_token(value) {
            Some(token) => looks_like_key(token) || identity.token.is_some(),
            None => site.key_sources.contains(&KeySource::Basic) && holds_key(value),
        };
        let mut taken = false;
        for value in self.request.values("authorization").filter(|value| ours(value)) {
            taken = true;
            if keep {
                edits.push(Edit::Add(header_name::CREDENTIAL, value.into()));
            }
        }
        if taken {
            edits.push(Edit::Remove(b"authorization"));
        }
    }

    /// Removes the headers that Envoy's routes remove elsewhere.
    #[inline(never)]
    fn remove_keys(&self, site: &Site, edits: &mut Vec<Edit<'a>>) {
        let is_key = |name: &[u8]| {
            site.key_sources.iter().any(
                |source| matches!(source, KeySource::Header(known) if known.as_bytes() == name),
            )
        };
        for (name, _) in self.request.headers {
            if *name == header_name::CREDENTIAL.as_bytes()
                || (!site.forward_credentials && is_key(name))
            {
                edits.push(Edit::Remove(name));
            }
        }
    }
}

impl std::fmt::Debug for Edit<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Set(name, _) => f.debug_tuple("Set").field(name).finish_non_exhaustive(),
            Self::Add(name, _) => f.debug_tuple("Add").field(name).finish_non_exhaustive(),
            Self::Remove(name) => {
                f.debug_tuple("Remove").field(&String::from_utf8_lossy(name)).finish()
            }
        }
    }
}

#[cfg(test)]
#[path = "decision_tests/mod.rs"]
mod tests;
