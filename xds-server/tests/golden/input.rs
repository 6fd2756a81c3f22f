//! Desired state as the golden files write it down.

use std::net::IpAddr;
use std::path::Path;

use policy::desired::{DesiredBucket, DesiredEndpoint, DesiredRoute, DesiredSite, DesiredUpstream, UpstreamProtocol};
use policy::id::Uuid;
use policy::key::{Digest, KeyRecord};
use policy::method::Methods;
use serde::Deserialize;
use xds_server::node::EdgeSettings;

/// What is translated.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Input {
    Site(Site),
    Bucket(Bucket),
    Platform { base_domain: String },
    NoSuchSite { name: String },
    Edge(Edge),
}

/// Reads an input; the file says what it is.
pub(crate) fn read(path: &Path) -> Input {
    let text = std::fs::read_to_string(path).expect("an input.json");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Site {
    tenant: Uuid,
    site: Uuid,
    hostnames: Vec<String>,
    forward_credentials: bool,
    upstreams: Vec<Upstream>,
    routes: Vec<Route>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Upstream {
    id: Uuid,
    protocol: Protocol,
    connect_timeout_ms: u32,
    request_timeout_ms: u32,
    /// `[address, port, weight]`.
    endpoints: Vec<(String, u16, u32)>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Protocol {
    Http1,
    Http2,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Route {
    id: Uuid,
    methods: Vec<String>,
    prefix: String,
    template: String,
    strip_prefix: bool,
    upstream: Uuid,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bucket {
    bucket: u16,
    keys: Vec<Key>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    /// The whole digest is this byte.
    digest_byte: u8,
    site: Uuid,
    consumer: Uuid,
    key: Uuid,
    expires_at_ms: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Edge {
    http_address: IpAddr,
    http_port: u16,
    filter_path: String,
}

impl Site {
    pub(crate) fn desired(&self) -> DesiredSite {
        DesiredSite {
            tenant: self.tenant.into(),
            site: self.site.into(),
            hostnames: self.hostnames.clone(),
            forward_credentials: self.forward_credentials,
            upstreams: self.upstreams.iter().map(Upstream::desired).collect(),
            routes: self.routes.iter().map(Route::desired).collect(),
        }
    }
}

impl Upstream {
    fn desired(&self) -> DesiredUpstream {
        let endpoint = |(address, port, weight): &(String, u16, u32)| DesiredEndpoint {
            address: address.clone(),
            port: *port,
            weight: *weight,
        };
        DesiredUpstream {
            id: self.id.into(),
            endpoints: self.endpoints.iter().map(endpoint).collect(),
            protocol: match self.protocol {
                Protocol::Http1 => UpstreamProtocol::Http1,
                Protocol::Http2 => UpstreamProtocol::Http2,
            },
            connect_timeout_ms: self.connect_timeout_ms,
            request_timeout_ms: self.request_timeout_ms,
        }
    }
}

impl Route {
    fn desired(&self) -> DesiredRoute {
        let methods = self.methods.iter().map(|name| Methods::named(name).expect("a method"));
        DesiredRoute {
            id: self.id.into(),
            methods: methods.fold(Methods::NONE, Methods::union),
            prefix: self.prefix.clone(),
            template: self.template.clone(),
            strip_prefix: self.strip_prefix,
            upstream: self.upstream.into(),
        }
    }
}

impl Bucket {
    pub(crate) fn desired(&self) -> DesiredBucket {
        let key = |key: &Key| KeyRecord {
            digest: Digest([key.digest_byte; 32]),
            site: key.site.into(),
            consumer: key.consumer.into(),
            key: key.key.into(),
            expires_at_ms: key.expires_at_ms,
        };
        DesiredBucket { bucket: self.bucket, keys: self.keys.iter().map(key).collect() }
    }
}

impl Edge {
    pub(crate) fn settings(&self) -> EdgeSettings {
        EdgeSettings {
            http_address: self.http_address,
            http_port: self.http_port,
            filter_path: self.filter_path.clone(),
        }
    }
}
