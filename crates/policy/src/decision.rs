//! The decision about a request: where it goes, or why it is refused.

use std::rc::Rc;

use crate::host;
use crate::id::{ConsumerId, KeyId, RouteId, SiteId, TenantId};
use crate::key::{Digest, KeyRecord};
use crate::method::Methods;
use crate::path;
use crate::refusal::Refusal;
use crate::request::{Credential, KeyText, Request};
use crate::router::RouteMatch;
use crate::site::Site;

/// What the control plane pushed, as a decision reads it. Absent and unreadable are the same: both refuse.
pub trait State {
    /// What a canonical hostname leads to.
    fn host(&mut self, name: &str) -> Option<HostEntry>;
    /// The record of a key.
    fn key(&mut self, digest: &Digest) -> Option<KeyRecord>;
    /// A site.
    fn site(&mut self, id: SiteId) -> Option<Rc<Site>>;
}

/// What a hostname leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostEntry {
    /// One site.
    Site(SiteId),
    /// Whichever site the key belongs to.
    SharedApi,
}

impl HostEntry {
    /// Reads the bytes of a pushed [`crate::wire::Host`].
    pub fn decode(host: &[u8]) -> Option<Self> {
        let host = <crate::wire::Host as prost::Message>::decode(host).ok()?;
        if host.shared_api { Some(Self::SharedApi) } else { SiteId::from_slice(&host.site).map(Self::Site) }
    }
}

/// What to do with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision<'a> {
    /// Let it go to its route.
    Forward(Forward<'a>),
    /// Answer it here.
    Refuse(Refusal),
}

/// A request that is let go: who it is from, and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward<'a> {
    /// The owner of the site.
    pub tenant: TenantId,
    /// The site.
    pub site: SiteId,
    /// The route, by which Envoy finds the upstream.
    pub route: RouteId,
    /// Whose key it was.
    pub consumer: ConsumerId,
    /// The key.
    pub key: KeyId,
    /// The key, where it has to be moved from `Authorization` to `X-API-Key`: the site does not want it upstream. Envoy's
    /// route removes `X-API-Key` at the very end. It is not removed here, because a request that makes Envoy load a
    /// route configuration starts again from the first filter, with its headers as the filters left them.
    pub move_key: Option<KeyText<'a>>,
}

/// Decides about a request. `now_ms` is in milliseconds since the Unix epoch.
///
/// The order is part of the contract: a host that no site owns answers 404 whatever the credentials; every failure to
/// authenticate answers the same 403; and only who has authenticated learns which paths and methods exist.
pub fn decide<'a>(request: &Request<'a>, state: &mut impl State, now_ms: u64) -> Decision<'a> {
    match try_decide(request, state, now_ms) {
        Ok(forward) => Decision::Forward(forward),
        Err(refusal) => Decision::Refuse(refusal),
    }
}

fn try_decide<'a>(request: &Request<'a>, state: &mut impl State, now_ms: u64) -> Result<Forward<'a>, Refusal> {
    let name = host::canonical(request.authority).ok_or(Refusal::UnknownHost)?;
    let own_site = match state.host(&name).ok_or(Refusal::UnknownHost)? {
        HostEntry::Site(id) => Some(state.site(id).ok_or(Refusal::UnknownHost)?),
        HostEntry::SharedApi => None,
    };
    let Credential::Key(presented) = &request.credential else {
        return Err(Refusal::Forbidden);
    };
    let key = state.key(&presented.digest).filter(|key| !key.expired(now_ms)).ok_or(Refusal::Forbidden)?;
    let site = match own_site {
        Some(site) if site.id == key.site => site,
        Some(_) => return Err(Refusal::Forbidden),
        None => state.site(key.site).ok_or(Refusal::Forbidden)?,
    };
    let route = route(&site, request)?;
    Ok(Forward {
        tenant: site.tenant,
        site: site.id,
        route,
        consumer: key.consumer,
        key: key.key,
        move_key: (presented.in_authorization && !site.forward_credentials).then_some(presented.text),
    })
}

fn route(site: &Site, request: &Request<'_>) -> Result<RouteId, Refusal> {
    let path = path::canonical(request.path).map_err(|_| Refusal::MalformedPath)?;
    let method = std::str::from_utf8(request.method).ok().and_then(Methods::named).unwrap_or(Methods::NONE);
    match site.router.find(method, &path) {
        RouteMatch::Route(route) => Ok(route),
        RouteMatch::OtherMethods(allowed) => Err(Refusal::MethodNotAllowed(allowed)),
        RouteMatch::None => Err(Refusal::NoRoute),
    }
}

#[cfg(test)]
#[path = "decision_tests.rs"]
mod tests;
