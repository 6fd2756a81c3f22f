//! Desired state: how one site should look on every Envoy. It is the input of translation, free of
//! SQL and of xDS.
//!
//! The store reads it, `translate` turns it into resources. Lists carry no order of their own:
//! translation sorts them, so that the same content always gives the same bytes.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::id::{
    ApiId, ConsumerId, IssuerId, KeyId, PlanId, RouteId, SiteId, TenantId, UpstreamId,
};
use crate::key::KeyRecord;
use crate::method::Methods;
use crate::settings::{
    ApiSettings, ConsumerSettings, Issuer, KeySettings, PlanSettings, RouteSettings,
    SigningAlgorithm, SiteSettings, TenantSettings,
};

/// Everything about one site that an Envoy needs, its keys and consumers apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredSite {
    /// The owner of the site.
    pub tenant: TenantId,
    /// The operator's settings for the owner.
    pub tenant_settings: TenantSettings,
    /// The site itself.
    pub site: SiteId,
    /// The tenant's settings for the site.
    pub settings: SiteSettings,
    /// True if Envoys load its routes and clusters before its first request. Default: false.
    pub eager: bool,
    /// Canonical hostnames: lower case, no port, no trailing dot.
    pub hostnames: Vec<String>,
    /// True if the caller's credential reaches the upstream. Default: false.
    pub forward_credentials: bool,
    /// The issuers of the tokens that it accepts.
    pub issuers: Vec<DesiredIssuer>,
    /// Its plans, in use or not.
    pub plans: Vec<DesiredPlan>,
    /// The settings of its APIs.
    pub apis: BTreeMap<ApiId, ApiSettings>,
    /// All upstreams of the site, used by a route or not.
    pub upstreams: Vec<DesiredUpstream>,
    /// All routes of all versions of all APIs of the site.
    pub routes: Vec<DesiredRoute>,
}

/// A port of a tenant's own in the Envoys of its cells: a request there reaches that tenant's sites
/// alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TenantListener {
    /// The TCP port.
    pub port: u16,
    /// The address to listen on; `None` is the one on which each Envoy has its shared listener.
    pub address: Option<IpAddr>,
}

/// An issuer of tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredIssuer {
    /// The issuer.
    pub id: IssuerId,
    /// The tenant's settings for it.
    pub settings: Issuer,
    /// Its shared secret, if its algorithms are symmetric.
    pub secret: Option<Secret>,
    /// Its keys as they were read from `jwks_uri`: a JWK Set. `None` if there is no such URL, or it
    /// was never read; then no token of the issuer is accepted.
    pub fetched_jwks: Option<String>,
}

/// A plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredPlan {
    /// The plan.
    pub id: PlanId,
    /// Its number in the site, from 1, by which key records name it.
    pub number: u16,
    /// The tenant's settings for it.
    pub settings: PlanSettings,
}

/// One upstream: an Envoy Cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredUpstream {
    /// The upstream.
    pub id: UpstreamId,
    /// The targets of its traffic; an empty list answers 503.
    pub endpoints: Vec<DesiredEndpoint>,
    /// The protocol that the endpoints speak.
    pub protocol: UpstreamProtocol,
    /// Time to connect to an endpoint, in milliseconds.
    pub connect_timeout_ms: u32,
    /// Time for a whole request, its response included, in milliseconds.
    pub request_timeout_ms: u32,
}

/// One address of an upstream.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DesiredEndpoint {
    /// An IPv4 or IPv6 address, or a DNS name.
    pub address: String,
    /// The TCP port.
    pub port: u16,
    /// The share of traffic relative to the other endpoints, 1 to 1000.
    pub weight: u32,
}

/// The protocol that an upstream speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamProtocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 with prior knowledge.
    Http2,
}

/// One route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredRoute {
    /// The route; Envoy matches its text form.
    pub id: RouteId,
    /// The API that it is of.
    pub api: ApiId,
    /// The tenant's settings for it.
    pub settings: RouteSettings,
    /// The methods that it serves.
    pub methods: Methods,
    /// The path before `template`: base path and version, such as `/orders/v1`.
    pub prefix: String,
    /// The template inside the version, such as `/orders/{id}`.
    pub template: String,
    /// True if `prefix` is taken off before the upstream sees the path.
    pub strip_prefix: bool,
    /// The upstream that serves it, one of the site's.
    pub upstream: UpstreamId,
}

/// The records of one bucket of credentials; an empty bucket is no resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredBucket {
    /// The first 16 bits of the digests in it.
    pub bucket: u16,
    /// Its keys, signing keys and subjects: neither revoked nor expired when they were read.
    pub keys: Vec<KeyRecord>,
}

/// The consumers of one bucket about whom there is more to know than their credentials' records
/// say; an empty bucket is no resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredConsumers {
    /// The last 16 bits of the consumers' ids ([`crate::consumer::bucket_of`]).
    pub bucket: u16,
    /// The consumers with settings or signing keys, or with a key that has settings.
    pub consumers: Vec<DesiredConsumer>,
}

/// One consumer, with the powers of its credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredConsumer {
    /// The owner of the site.
    pub tenant: TenantId,
    /// The consumer.
    pub id: ConsumerId,
    /// The site that it is of.
    pub site: SiteId,
    /// The tenant's settings for it.
    pub settings: ConsumerSettings,
    /// Those of its keys, API keys and signing keys, that have settings.
    pub keys: BTreeMap<KeyId, KeySettings>,
    /// Its signing keys: neither revoked nor expired when they were read.
    pub signing_keys: Vec<DesiredSigningKey>,
}

/// A part of the desired state that is not pushed, because it is too large.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The site that it is of.
    pub site: SiteId,
    /// The part.
    pub object: Object,
    /// The bytes that it takes.
    pub bytes: usize,
    /// The bytes that there is room for.
    pub allowed: usize,
}

impl LeftOut {
    /// Returns true if both are about one thing: a consumer, or credentials of one site.
    pub fn is_of_same(&self, other: &Self) -> bool {
        let consumer = |part: &Self| match part.object {
            Object::Consumer(id) => Some(id),
            Object::Credentials(_) => None,
        };
        self.site == other.site && consumer(self) == consumer(other)
    }
}

/// The fault and its remedy, for the owner.
impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { object, bytes, allowed, .. } = self;
        match object {
            Object::Consumer(id) if bytes > allowed => write!(
                f,
                "consumer {id} takes {bytes} bytes with its keys, and {allowed} are allowed: its \
                 credentials are refused until it has fewer address ranges, scopes, limits or keys \
                 with settings"
            ),
            Object::Consumer(id) => write!(
                f,
                "consumer {id} does not fit beside the others of its tenant into the {allowed} \
                 bytes that they share: its credentials are refused until they have fewer address \
                 ranges, scopes, limits or keys with settings, or it is made anew"
            ),
            Object::Credentials(count) => write!(
                f,
                "{count} credentials of the site are refused: their digests begin alike, and take \
                 {bytes} bytes where {allowed} are allowed; use other values of subjects"
            ),
        }
    }
}

/// A part that can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object {
    /// A consumer: all its credentials are refused.
    Consumer(ConsumerId),
    /// So many credentials of the site in one bucket.
    Credentials(usize),
}

/// The verifying half of a signing key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredSigningKey {
    /// The key; its text form is the `keyid` of signatures.
    pub id: KeyId,
    /// Its algorithm.
    pub algorithm: SigningAlgorithm,
    /// The 32 bytes of an Ed25519 public key, or an HMAC secret.
    pub material: Secret,
}

/// Bytes that nobody may read in a log: their `Debug` does not show them.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}
