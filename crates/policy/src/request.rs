//! What of a request a decision needs, taken from its header map in one pass.

use crate::headers::Header;
use crate::id::TenantId;

/// The headers that only Tenantry may set. What a client sends under this prefix is removed before anything else.
pub const RESERVED_PREFIX: &str = "x-tenantry-";

/// Where the filter puts a credential that is not to reach the upstream, in the form of an `Authorization` value; Envoy's route removes
/// it at the very end. It is not removed at once, because a request that makes Envoy load a route configuration starts again
/// from the first filter, with its headers as the filters left them. So it is read as one more `Authorization`, and a client
/// that sends it itself gains nothing.
pub const CREDENTIAL_HEADER: &str = "x-tenantry-credential";

/// The header in which Envoy tells a client's address, at an edge that takes it from the connection or from trusted proxies.
pub const CLIENT_ADDRESS_HEADER: &str = "x-envoy-external-address";

/// The header by which a listener that is one tenant's own says whose it is. Envoy sets it before the first filter, in the place of
/// whatever the client sent. A client of another listener that sends it itself can only reach less by it.
pub const LISTENER_HEADER: &str = "x-tenantry-listener";

/// The relevant parts of a request's header map.
#[derive(Clone, Debug, Default)]
pub struct Request<'a> {
    /// The whole map.
    pub headers: &'a [Header<'a>],
    /// `:authority`.
    pub authority: &'a [u8],
    /// `:method`.
    pub method: &'a [u8],
    /// `:path` without its query.
    pub path: &'a [u8],
    /// The query, without the question mark; `None` if there is none.
    pub query: Option<&'a [u8]>,
    /// The values of `Authorization`, and of [`CREDENTIAL_HEADER`].
    pub authorization: Vec<&'a [u8]>,
    /// Whether anything follows the headers.
    pub has_body: bool,
    /// Whether there is a signature (RFC 9421 section 4).
    pub signed: bool,
    /// [`CLIENT_ADDRESS_HEADER`].
    pub client_address: Option<&'a [u8]>,
    /// [`LISTENER_HEADER`].
    pub listener: Option<&'a [u8]>,
    /// `content-length`, in bytes.
    pub content_length: Option<u64>,
    /// The names of the client's headers that have to be removed, each once or more.
    pub reserved: Vec<&'a str>,
}

impl<'a> Request<'a> {
    /// Reads a header map whose names are in lower case, pseudo-headers included, as Envoy gives it.
    pub fn read(headers: &'a [Header<'a>], has_body: bool) -> Self {
        let mut request = Self { headers, has_body, ..Self::default() };
        for (name, value) in headers {
            match *name {
                ":authority" => request.authority = value,
                ":method" => request.method = value,
                ":path" => match value.iter().position(|byte| *byte == b'?') {
                    Some(at) => {
                        request.path = value.get(..at).unwrap_or_default();
                        request.query = value.get(at + 1..);
                    }
                    None => request.path = value,
                },
                "authorization" | CREDENTIAL_HEADER => request.authorization.push(value),
                "content-length" => request.content_length = decimal(value),
                "signature-input" | "signature" => request.signed = true,
                CLIENT_ADDRESS_HEADER => request.client_address = Some(value),
                LISTENER_HEADER => {
                    request.listener = Some(value);
                    request.reserved.push(name);
                }
                name if name.starts_with(RESERVED_PREFIX) => request.reserved.push(name),
                _ => {}
            }
        }
        request
    }

    /// Whether the listener that the request came in by may lead to what is this tenant's. What names no tenant leads to none.
    pub fn may_reach(&self, tenant: TenantId) -> bool {
        let named = |listener: &[u8]| std::str::from_utf8(listener).ok()?.parse().ok();
        self.listener.is_none_or(|listener| named(listener) == Some(tenant))
    }

    /// The values of a header, by its name in lower case.
    pub fn values<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.headers.iter().filter(move |(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// The parameters of the query: name and value, as they were sent.
    pub fn parameters(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let pairs = self.query.into_iter().flat_map(|query| query.split(|byte| *byte == b'&'));
        pairs.map(|pair| match pair.iter().position(|byte| *byte == b'=') {
            Some(at) => (pair.get(..at).unwrap_or_default(), pair.get(at + 1..).unwrap_or_default()),
            None => (pair, &[][..]),
        })
    }
}

fn decimal(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
