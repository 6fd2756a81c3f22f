//! The state that a decision reads and counts on, and the entries of hostnames in it.

use std::net::IpAddr;
use std::rc::Rc;

use crate::concurrency::Entrance;
use crate::consumer::Consumer;
use crate::id::{ConsumerId, SiteId, TenantId};
use crate::jwt::Verified;
use crate::key::{Digest, KeyRecord};
use crate::limit::{Check, Seed, Verdict};
use crate::site::Site;

/// The state that one VM sees: the resources pushed to it, and the counters of its requests.
///
/// A decision says what is to be done to its request as data ([`crate::decision::Decision`]); its
/// reading and its counting go through this trait. Absent and unreadable are the same: both refuse
/// the request.
pub trait State {
    /// Returns the target of a host, by the request's `:authority` as it was sent
    /// ([`crate::host::canonical`]); `None` if no site owns it.
    fn host(&mut self, authority: &[u8]) -> Option<Reached>;
    /// Returns the record of a credential.
    fn key(&mut self, digest: &Digest) -> Option<KeyRecord>;
    /// Returns the record of an API key, by its text as it was presented: the one of
    /// [`Digest::of_presented`], unless it is known already. Where the key has to be of a site, a
    /// key of another site takes as long as one that does not exist.
    ///
    /// A revoked key is refused here: it is absent from its bucket, as is one that never existed.
    fn api_key(&mut self, text: &[u8], of: Option<SiteId>) -> Option<KeyRecord> {
        self.key(&Digest::of_presented(text)?)
            .filter(|record| of.is_none_or(|site| record.site == site))
    }
    /// Returns a site.
    fn site(&mut self, id: SiteId) -> Option<Rc<Site>>;
    /// Returns the scopes, limits and addresses of a consumer and of its credentials.
    fn consumer(&mut self, id: ConsumerId) -> Option<Rc<Consumer>>;
    /// Returns the client's address. `edge` is the value of
    /// [`crate::header_name::CLIENT_ADDRESS`] that Envoy wrote, if that is to be trusted.
    fn client_address(&mut self, edge: Option<&[u8]>) -> Option<IpAddr>;
    /// Verifies a token; `None` if it does not hold.
    fn token(&mut self, site: &Site, token: &[u8], now_ms: u64) -> Option<Rc<Verified>>;
    /// Remembers a nonce until `until_ms`, and returns whether it is seen for the first time.
    fn fresh(&mut self, site: SiteId, keyid: &str, nonce: &str, until_ms: u64, now_ms: u64)
    -> bool;
    /// Returns the key for hashes of counters.
    fn seed(&self) -> &Seed;
    /// Takes a token of each limit, or none of any.
    fn admit<'c>(&mut self, checks: &[Check<'c>], now_ms: u64) -> Verdict<'c>;
    /// Counts a request of a tenant as under way, until it has ended.
    fn enter(&mut self, tenant: TenantId, max: Option<u32>, weight: u16, now_ms: u64) -> Entrance;
    /// Takes back [`State::enter`]: the request is not let go after all.
    fn leave(&mut self, tenant: TenantId, now_ms: u64);
}

/// The target of a host.
#[derive(Debug)]
pub enum Reached {
    /// One site.
    Site(Rc<Site>),
    /// The site that the key belongs to.
    SharedApi,
}

/// The target of a hostname, as it is pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostEntry {
    /// One site.
    Site(SiteId),
    /// The site that the key belongs to.
    SharedApi,
}

impl HostEntry {
    /// Reads the bytes of a pushed [`crate::wire::Host`].
    pub fn decode(host: &[u8]) -> Option<Self> {
        let host = <crate::wire::Host as prost::Message>::decode(host).ok()?;
        if host.shared_api {
            Some(Self::SharedApi)
        } else {
            SiteId::from_slice(&host.site).map(Self::Site)
        }
    }
}
