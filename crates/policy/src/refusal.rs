//! The answers that the filter gives itself, as problem details (RFC 9457).

use crate::method::Methods;

/// The media type of every refusal.
pub const CONTENT_TYPE: &str = "application/problem+json";

/// How long a client should wait for the first sync, in seconds.
const RETRY_AFTER_S: &str = "1";

/// Why a request is not let go. The same refusal always gives the same bytes, so that nothing can be told from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The control plane has not been heard of yet, or the filter cannot tell: fail closed.
    NotReady,
    /// No site owns the host.
    UnknownHost,
    /// Authentication failed, in whatever way.
    Forbidden,
    /// The path is one that two programs might read differently.
    MalformedPath,
    /// No route has this path.
    NoRoute,
    /// Routes with this path serve these methods alone.
    MethodNotAllowed(Methods),
}

impl Refusal {
    /// The status code.
    pub fn status(self) -> u32 {
        match self {
            Self::NotReady => 503,
            Self::UnknownHost | Self::NoRoute => 404,
            Self::Forbidden => 403,
            Self::MalformedPath => 400,
            Self::MethodNotAllowed(_) => 405,
        }
    }

    /// The header that goes with the content type, if there is one.
    pub fn header(self) -> Option<(&'static str, String)> {
        match self {
            Self::NotReady => Some(("retry-after", RETRY_AFTER_S.to_owned())),
            Self::MethodNotAllowed(allowed) => Some(("allow", allowed.to_string())),
            _ => None,
        }
    }

    /// The body.
    pub fn body(self) -> &'static str {
        match self {
            Self::NotReady => {
                r#"{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"The gateway is not ready yet."}"#
            }
            Self::UnknownHost => {
                r#"{"type":"about:blank","title":"Not Found","status":404,"detail":"There is no API at this host."}"#
            }
            Self::Forbidden => {
                r#"{"type":"about:blank","title":"Forbidden","status":403,"detail":"The request has no valid credential for this API."}"#
            }
            Self::MalformedPath => {
                r#"{"type":"about:blank","title":"Bad Request","status":400,"detail":"The path of the request is malformed."}"#
            }
            Self::NoRoute => {
                r#"{"type":"about:blank","title":"Not Found","status":404,"detail":"There is no route at this path."}"#
            }
            Self::MethodNotAllowed(_) => {
                r#"{"type":"about:blank","title":"Method Not Allowed","status":405,"detail":"The route does not serve this method."}"#
            }
        }
    }
}
