//! The answers that the filter gives itself, as problem details (RFC 9457).

use std::borrow::Cow;

use crate::header_name;
use crate::method::Methods;
use crate::time;

/// The media type of every refusal, and of every problem that another part answers (RFC 9457).
pub const MEDIA_TYPE: &str = "application/problem+json";

/// The time after which a client may try again, in seconds: the cause is over in a moment.
const RETRY_AFTER_S: &str = "1";

/// Why a request is not let go. The same refusal always gives the same bytes, so that nothing else
/// can be told from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The control plane has not been heard of yet, or the filter cannot tell: fail closed.
    NotReady,
    /// No site owns the host.
    UnknownHost,
    /// The tenant is suspended: nobody gets through.
    Suspended,
    /// Authentication or authorisation failed, in any way.
    Forbidden,
    /// The same for a site that tells its callers (RFC 6750 section 3): a credential is missing, or
    /// is wrong.
    Unauthenticated {
        /// True if there was one.
        presented: bool,
    },
    /// The same for these scopes, of which one at least is missing: with spaces between them.
    InsufficientScope(String),
    /// The path is one that two programs might read differently.
    MalformedPath,
    /// No route has this path.
    NoRoute,
    /// Routes with this path serve these methods alone.
    MethodNotAllowed(Methods),
    /// A limit or a quota is used up.
    RateLimited(Box<RateLimited>),
    /// The tenant has as many requests under way as it may.
    TooManyAtOnce,
    /// This Envoy is overloaded, and the tenant uses more than its share of it.
    Overloaded,
    /// The body is larger than a signed one may be, in bytes.
    BodyTooLarge {
        /// The most bytes that are allowed.
        max_bytes: usize,
    },
}

/// The limit or quota that is used up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimited {
    /// Its name.
    pub policy: String,
    /// In so many whole seconds there is more.
    pub retry_after_s: String,
    /// Then, in milliseconds since the Unix epoch.
    pub reset_at_ms: u64,
    /// The values of `RateLimit` and `RateLimit-Policy`.
    pub fields: RateLimitFields,
}

/// The state of the tightest limit (draft-ietf-httpapi-ratelimit-headers-10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimitFields {
    /// The value of `RateLimit`, in ASCII.
    pub limit: Vec<u8>,
    /// The value of `RateLimit-Policy`, in ASCII.
    pub policy: Vec<u8>,
}

impl RateLimitFields {
    /// Both values in one text, for [`RateLimitFields::from_text`].
    pub fn to_text(&self) -> Vec<u8> {
        [self.limit.as_slice(), &self.policy].join(&b'\n')
    }

    /// Reads such a text. `None` for any other, and for an empty one.
    pub fn from_text(text: &[u8]) -> Option<Self> {
        let at = text.iter().position(|byte| *byte == b'\n')?;
        let (limit, policy) = (text.get(..at)?, text.get(at + 1..)?);
        Some(Self { limit: limit.to_owned(), policy: policy.to_owned() })
    }
}

/// A refusal as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u32,
    /// Names in lower case, and values.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Cow<'static, str>,
}

impl Refusal {
    /// Every reason with its meaning, for lists that have to be complete.
    pub const REASONS: [(&str, &str); 13] = [
        ("not_ready", "the filter knows nothing yet, or cannot tell"),
        ("unknown_host", "no site owns the host"),
        ("suspended", "the tenant is suspended"),
        ("forbidden", "authentication or authorisation failed"),
        ("unauthenticated", "a credential is missing or wrong, at a site with `challenges`"),
        ("insufficient_scope", "a scope is missing, at a site with `challenges`"),
        ("malformed_path", "programs could read the path in different ways"),
        ("no_route", "no route has this path"),
        ("method_not_allowed", "the route does not serve this method"),
        ("rate_limited", "a limit or a quota is used up"),
        ("too_many_at_once", "the tenant has as many requests under way as it may"),
        ("overloaded", "this Envoy is overloaded, and the tenant uses more than its share"),
        ("body_too_large", "the body is larger than a signed one may be"),
    ];

    /// A word for logs and metrics, from a fixed set.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotReady => "not_ready",
            Self::UnknownHost => "unknown_host",
            Self::Suspended => "suspended",
            Self::Forbidden => "forbidden",
            Self::Unauthenticated { .. } => "unauthenticated",
            Self::InsufficientScope(_) => "insufficient_scope",
            Self::MalformedPath => "malformed_path",
            Self::NoRoute => "no_route",
            Self::MethodNotAllowed(_) => "method_not_allowed",
            Self::RateLimited(_) => "rate_limited",
            Self::TooManyAtOnce => "too_many_at_once",
            Self::Overloaded => "overloaded",
            Self::BodyTooLarge { .. } => "body_too_large",
        }
    }

    /// The status code.
    pub fn status(&self) -> u32 {
        match self {
            Self::NotReady | Self::Overloaded => 503,
            Self::UnknownHost | Self::NoRoute => 404,
            Self::Suspended | Self::Forbidden | Self::InsufficientScope(_) => 403,
            Self::Unauthenticated { .. } => 401,
            Self::MalformedPath => 400,
            Self::MethodNotAllowed(_) => 405,
            Self::RateLimited(_) | Self::TooManyAtOnce => 429,
            Self::BodyTooLarge { .. } => 413,
        }
    }

    /// Returns the answer to send.
    pub fn answer(&self) -> Answer {
        let mut headers = vec![("content-type", MEDIA_TYPE.to_owned())];
        match self {
            Self::NotReady | Self::TooManyAtOnce | Self::Overloaded => {
                headers.push(("retry-after", RETRY_AFTER_S.to_owned()));
            }
            Self::MethodNotAllowed(allowed) => headers.push(("allow", allowed.to_string())),
            Self::Unauthenticated { presented } => {
                let error = if *presented { r#", error="invalid_token""# } else { "" };
                headers.push(("www-authenticate", format!(r#"Bearer realm="api"{error}"#)));
            }
            Self::InsufficientScope(scopes) => headers.push((
                "www-authenticate",
                format!(r#"Bearer realm="api", error="insufficient_scope", scope="{scopes}""#),
            )),
            Self::RateLimited(limited) => {
                headers.push(("retry-after", limited.retry_after_s.clone()));
                let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
                headers.push((header_name::RATE_LIMIT, text(&limited.fields.limit)));
                headers.push((header_name::RATE_LIMIT_POLICY, text(&limited.fields.policy)));
            }
            _ => {}
        }
        Answer { status: self.status(), headers, body: self.body() }
    }

    fn body(&self) -> Cow<'static, str> {
        let (title, detail) = match self {
            Self::NotReady => ("Service Unavailable", "The gateway is not ready yet."),
            Self::Overloaded => ("Service Unavailable", "The gateway is overloaded; try again."),
            Self::UnknownHost => ("Not Found", "There is no API at this host."),
            Self::Suspended => (
                "Forbidden",
                "This API is suspended; its owner has to ask the platform's operator.",
            ),
            Self::Forbidden => ("Forbidden", "The request has no valid credential for this API."),
            Self::Unauthenticated { presented: false } => {
                ("Unauthorized", "This API needs a credential.")
            }
            Self::Unauthenticated { presented: true } => {
                ("Unauthorized", "The credential is not valid for this API.")
            }
            Self::InsufficientScope(_) => {
                ("Forbidden", "The credential lacks a scope that this API needs.")
            }
            Self::MalformedPath => ("Bad Request", "The path of the request is malformed."),
            Self::NoRoute => ("Not Found", "There is no route at this path."),
            Self::MethodNotAllowed(_) => {
                ("Method Not Allowed", "The route does not serve this method.")
            }
            Self::TooManyAtOnce => {
                ("Too Many Requests", "Too many requests are under way at once.")
            }
            Self::BodyTooLarge { max_bytes } => {
                let detail = format!("The body of a signed request has at most {max_bytes} bytes.");
                return problem("Content Too Large", self.status(), &detail).into();
            }
            Self::RateLimited(limited) => return limited.body().into(),
        };
        problem(title, self.status(), detail).into()
    }
}

fn problem(title: &str, status: u32, detail: &str) -> String {
    format!(r#"{{"type":"about:blank","title":"{title}","status":{status},"detail":"{detail}"}}"#)
}

impl RateLimited {
    /// The problem type and its member are those of the draft, section "Problem Types". The names
    /// of limits are tokens, which need no escapes.
    fn body(&self) -> String {
        format!(
            concat!(
                r#"{{"type":"https://iana.org/assignments/http-problem-types#quota-exceeded","#,
                r#""title":"Too Many Requests","status":429,"#,
                r#""detail":"The limit {policy} is used up until {at}.","#,
                r#""violated-policies":["{policy}"],"reset_at":"{at}"}}"#
            ),
            policy = self.policy,
            at = time::rfc3339(self.reset_at_ms),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The variant after this one, as the enum declares them.
    fn next(refusal: &Refusal) -> Option<Refusal> {
        Some(match refusal {
            Refusal::NotReady => Refusal::UnknownHost,
            Refusal::UnknownHost => Refusal::Suspended,
            Refusal::Suspended => Refusal::Forbidden,
            Refusal::Forbidden => Refusal::Unauthenticated { presented: false },
            Refusal::Unauthenticated { .. } => Refusal::InsufficientScope("a".to_owned()),
            Refusal::InsufficientScope(_) => Refusal::MalformedPath,
            Refusal::MalformedPath => Refusal::NoRoute,
            Refusal::NoRoute => Refusal::MethodNotAllowed(Methods::ALL),
            Refusal::MethodNotAllowed(_) => Refusal::RateLimited(Box::new(RateLimited {
                policy: "a".to_owned(),
                retry_after_s: "1".to_owned(),
                reset_at_ms: 0,
                fields: RateLimitFields { limit: Vec::new(), policy: Vec::new() },
            })),
            Refusal::RateLimited(_) => Refusal::TooManyAtOnce,
            Refusal::TooManyAtOnce => Refusal::Overloaded,
            Refusal::Overloaded => Refusal::BodyTooLarge { max_bytes: 1 },
            Refusal::BodyTooLarge { .. } => return None,
        })
    }

    #[test]
    fn every_reason_is_listed() {
        let all = std::iter::successors(Some(Refusal::NotReady), next);
        let reasons: Vec<_> = all.map(|refusal| refusal.reason()).collect();
        assert_eq!(reasons, Refusal::REASONS.map(|(reason, _)| reason));
    }
}
