//! The JSON shapes of upstreams.

use chrono::{DateTime, Utc};
use policy::address::AddressRules;
use policy::desired::UpstreamProtocol;
use policy::upstream::{
    CONNECT_TIMEOUT_MS, DEFAULT_CONNECT_TIMEOUT_MS, DEFAULT_REQUEST_TIMEOUT_MS, REQUEST_TIMEOUT_MS,
};
use serde::{Deserialize, Serialize};
use store::upstream;
use utoipa::ToSchema;
use uuid::Uuid;

use super::endpoint::{self, Endpoint};
use crate::forms::check::Check;
use crate::http::answer::Object;
use crate::http::body::{objects, present, present_objects};
use crate::http::problem::Problem;

/// The protocol of an upstream's endpoints.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 with prior knowledge.
    Http2,
}

impl From<UpstreamProtocol> for Protocol {
    fn from(protocol: UpstreamProtocol) -> Self {
        match protocol {
            UpstreamProtocol::Http1 => Self::Http1,
            UpstreamProtocol::Http2 => Self::Http2,
        }
    }
}

impl From<Protocol> for UpstreamProtocol {
    fn from(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Http1 => Self::Http1,
            Protocol::Http2 => Self::Http2,
        }
    }
}

/// A destination of traffic.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Upstream {
    pub id: Uuid,
    /// Its name, unique in the site.
    #[schema(example = "Order service")]
    name: String,
    /// The addresses over which its traffic is spread.
    endpoints: Vec<Endpoint>,
    /// Milliseconds to connect to an endpoint.
    connect_timeout_ms: u32,
    /// Milliseconds for a whole request, its answer included.
    request_timeout_ms: u32,
    protocol: Protocol,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    #[serde(skip)]
    revision: i64,
}

impl From<upstream::Upstream> for Upstream {
    fn from(row: upstream::Upstream) -> Self {
        Self {
            id: row.id.into(),
            name: row.name,
            endpoints: row.endpoints.into_iter().map(Endpoint::from).collect(),
            connect_timeout_ms: row.connect_timeout_ms,
            request_timeout_ms: row.request_timeout_ms,
            protocol: row.protocol.into(),
            created_at: row.created_at,
            updated_at: row.updated_at,
            revision: row.revision,
        }
    }
}

impl Object for Upstream {
    fn revision(&self) -> i64 {
        self.revision
    }
}

/// A new upstream.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewUpstream {
    /// Its name, unique in the site.
    #[schema(min_length = 1, max_length = 200, example = "Order service")]
    name: String,
    /// Traffic is spread over these by weight. None at all: every request is answered with 503.
    #[serde(deserialize_with = "objects")]
    #[schema(max_items = 64)]
    endpoints: Vec<Endpoint>,
    /// Milliseconds to connect to an endpoint.
    #[serde(default, deserialize_with = "present")]
    #[schema(minimum = 10, maximum = 60000, default = 5000, nullable = false)]
    connect_timeout_ms: Option<i64>,
    /// Milliseconds for a whole request, its answer included.
    #[serde(default, deserialize_with = "present")]
    #[schema(minimum = 10, maximum = 600000, default = 15000, nullable = false)]
    request_timeout_ms: Option<i64>,
    /// The protocol of the endpoints.
    #[serde(default, deserialize_with = "present")]
    #[schema(default = "http1", nullable = false)]
    protocol: Option<Protocol>,
}

impl NewUpstream {
    pub(super) fn checked(self, rules: &AddressRules) -> Result<upstream::NewUpstream, Problem> {
        let mut check = Check::new();
        check.name("name", &self.name);
        let endpoints = endpoint::checked(&mut check, self.endpoints, rules);
        let connect = self.connect_timeout_ms.unwrap_or(DEFAULT_CONNECT_TIMEOUT_MS.into());
        let request = self.request_timeout_ms.unwrap_or(DEFAULT_REQUEST_TIMEOUT_MS.into());
        check.range("connect_timeout_ms", connect, &CONNECT_TIMEOUT_MS);
        check.range("request_timeout_ms", request, &REQUEST_TIMEOUT_MS);
        check.finish()?;
        Ok(upstream::NewUpstream {
            name: self.name,
            endpoints,
            connect_timeout_ms: milliseconds(connect),
            request_timeout_ms: milliseconds(request),
            protocol: self.protocol.unwrap_or(Protocol::Http1).into(),
        })
    }
}

/// Changes of an upstream.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UpstreamChanges {
    /// Its name, unique in the site.
    #[serde(default, deserialize_with = "present")]
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    name: Option<String>,
    /// The whole new list.
    #[serde(default, deserialize_with = "present_objects")]
    #[schema(max_items = 64, nullable = false)]
    endpoints: Option<Vec<Endpoint>>,
    /// Milliseconds to connect to an endpoint.
    #[serde(default, deserialize_with = "present")]
    #[schema(minimum = 10, maximum = 60000, nullable = false)]
    connect_timeout_ms: Option<i64>,
    /// Milliseconds for a whole request, its answer included.
    #[serde(default, deserialize_with = "present")]
    #[schema(minimum = 10, maximum = 600000, nullable = false)]
    request_timeout_ms: Option<i64>,
    /// The protocol of the endpoints.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    protocol: Option<Protocol>,
}

impl UpstreamChanges {
    pub(super) fn checked(self, rules: &AddressRules) -> Result<upstream::UpstreamPatch, Problem> {
        let mut check = Check::new();
        if let Some(name) = &self.name {
            check.name("name", name);
        }
        let endpoints =
            self.endpoints.map(|endpoints| endpoint::checked(&mut check, endpoints, rules));
        if let Some(connect) = self.connect_timeout_ms {
            check.range("connect_timeout_ms", connect, &CONNECT_TIMEOUT_MS);
        }
        if let Some(request) = self.request_timeout_ms {
            check.range("request_timeout_ms", request, &REQUEST_TIMEOUT_MS);
        }
        check.finish()?;
        Ok(upstream::UpstreamPatch {
            name: self.name,
            endpoints,
            connect_timeout_ms: self.connect_timeout_ms.map(milliseconds),
            request_timeout_ms: self.request_timeout_ms.map(milliseconds),
            protocol: self.protocol.map(Into::into),
        })
    }
}

/// A checked number of milliseconds, which fits.
pub(super) fn milliseconds(checked: i64) -> u32 {
    u32::try_from(checked).unwrap_or(u32::MAX)
}
