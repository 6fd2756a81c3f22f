//! Kinds of problems. Each context declares its own in a file of its own beside this one.

use axum::http::StatusCode;

/// The realm in `WWW-Authenticate` (RFC 9110 section 11.5), without an error code: RFC 6750 section
/// 3 asks for none when the request has no credentials at all.
const BEARER: &str = "Bearer realm=\"tenantry\"";
const BEARER_INVALID: &str = "Bearer realm=\"tenantry\", error=\"invalid_token\"";
const BEARER_SCOPE: &str = "Bearer realm=\"tenantry\", error=\"insufficient_scope\"";
/// Seconds after which a client may try again when the database cannot be reached: about the time
/// of a failover.
const RETRY_AFTER_SECONDS: &str = "2";

/// A kind of problem: everything that is the same each time it occurs.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// The HTTP status.
    pub status: StatusCode,
    /// The last part of the type, `urn:tenantry:problem:<name>`.
    pub name: &'static str,
    /// The kind in words.
    pub title: &'static str,
    /// The detail, unless an occurrence has one of its own.
    pub detail: Option<&'static str>,
    /// A header of the answer: name in lower case, and value.
    pub header: Option<(&'static str, &'static str)>,
}

impl Kind {
    /// A kind without a detail and a header.
    pub const fn new(status: StatusCode, name: &'static str, title: &'static str) -> Self {
        Self { status, name, title, detail: None, header: None }
    }

    /// 400.
    pub const fn bad_request(name: &'static str, title: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, name, title)
    }

    /// 401, for a request without credentials or with credentials that are no token.
    pub const fn unauthorized(name: &'static str, title: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, name, title).header("www-authenticate", BEARER)
    }

    /// 401, for a token that does not work.
    pub const fn invalid_token(name: &'static str, title: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, name, title).header("www-authenticate", BEARER_INVALID)
    }

    /// 403.
    pub const fn forbidden(name: &'static str, title: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, name, title)
    }

    /// 403, for a token with too few rights.
    pub const fn insufficient_scope(name: &'static str, title: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, name, title).header("www-authenticate", BEARER_SCOPE)
    }

    /// 404.
    pub const fn not_found(name: &'static str, title: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, name, title)
    }

    /// 409.
    pub const fn conflict(name: &'static str, title: &'static str) -> Self {
        Self::new(StatusCode::CONFLICT, name, title)
    }

    /// 422.
    pub const fn unprocessable(name: &'static str, title: &'static str) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, name, title)
    }

    /// 429.
    pub const fn too_many(name: &'static str, title: &'static str) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, name, title)
    }

    /// 503.
    pub const fn unavailable(name: &'static str, title: &'static str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, name, title)
    }

    /// Adds the detail that each occurrence has.
    pub const fn detail(self, detail: &'static str) -> Self {
        Self { detail: Some(detail), ..self }
    }

    /// Adds a header that each occurrence has.
    pub const fn header(self, name: &'static str, value: &'static str) -> Self {
        Self { header: Some((name, value)), ..self }
    }

    /// Tells the client to try again soon.
    pub const fn retry_soon(self) -> Self {
        self.header("retry-after", RETRY_AFTER_SECONDS)
    }
}

/// Declares the kinds of a context, and `KINDS`, the list of them.
macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $kind:expr;)*) => {
        $($(#[$doc])* pub const $name: $crate::http::problem::Kind = $kind;)*
        /// All kinds of this context.
        pub const KINDS: &[$crate::http::problem::Kind] = &[$($name),*];
    };
}
pub(super) use kinds;
