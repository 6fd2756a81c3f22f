//! What one site should look like on every Envoy: the input of translation, free of SQL and of xDS.
//!
//! The store reads it, `translate` turns it into resources. Lists carry no order of their own: translation sorts them, so
//! that the same content always gives the same bytes.

use crate::id::{RouteId, SiteId, TenantId, UpstreamId};
use crate::key::KeyRecord;
use crate::method::Methods;

/// Everything about one site that an Envoy needs, its keys apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredSite {
    /// The owner of the site.
    pub tenant: TenantId,
    /// The site itself.
    pub site: SiteId,
    /// Canonical hostnames: lower case, no port, no trailing dot.
    pub hostnames: Vec<String>,
    /// Whether the caller's credential reaches the upstream. Default: it does not.
    pub forward_credentials: bool,
    /// All upstreams of the site, used by a route or not.
    pub upstreams: Vec<DesiredUpstream>,
    /// All routes of all versions of all APIs of the site.
    pub routes: Vec<DesiredRoute>,
}

/// One upstream: an Envoy Cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredUpstream {
    /// The upstream.
    pub id: UpstreamId,
    /// Where its traffic goes; empty answers 503.
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
    /// The route; its text form is what Envoy matches.
    pub id: RouteId,
    /// The methods that it serves.
    pub methods: Methods,
    /// What precedes `template` in the path of a request: base path and version, such as `/orders/v1`.
    pub prefix: String,
    /// The template inside the version, such as `/orders/{id}`.
    pub template: String,
    /// Whether `prefix` is taken off before the upstream sees the path.
    pub strip_prefix: bool,
    /// The upstream that serves it, one of the site's.
    pub upstream: UpstreamId,
}

/// The records of one bucket of API keys; an empty bucket is no resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredBucket {
    /// The first 16 bits of the digests in it.
    pub bucket: u16,
    /// Its keys: neither revoked nor expired when they were read.
    pub keys: Vec<KeyRecord>,
}
