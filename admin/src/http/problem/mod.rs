//! Every error of the API, and its answer: the one place that knows statuses, types and titles (RFC
//! 9457). What the answer looks like is in [`body`].
//!
//! Architecture invariant: a 404 says nothing about which object was asked for, and no body carries
//! the request id, so that another tenant's object is answered byte for byte like an absent one.

mod body;

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use policy::header_name::{RATE_LIMIT, RATE_LIMIT_POLICY};
use store::StoreError;
use store::platform_plan::PlanLimit;

use crate::http::etag::etag;
use crate::rights::permissions::Who;
use crate::rights::scopes::Scope;
use crate::secret::NoRandomness;
use crate::throttle::Refused;

pub use self::body::{FieldError, ProblemBody, ReachedLimit};
pub use policy::refusal::MEDIA_TYPE;

/// The realm in `WWW-Authenticate` (RFC 9110 section 11.5).
const REALM: &str = "tenantry";
/// After how many seconds a client may try again when the database cannot be reached: about the
/// time of a failover.
const RETRY_AFTER_SECONDS: &str = "2";

/// What can go wrong with a request.
#[derive(Debug)]
pub enum Problem {
    /// No bearer token was sent.
    MissingToken,
    /// The bearer token is not, or no longer, valid.
    InvalidToken,
    /// The caller may not do this.
    Forbidden,
    /// The caller may see the object, and the operation is for others.
    RoleNeeded(Who),
    /// The service token does not have this scope.
    ScopeNeeded(Scope),
    /// Nobody gives away more than they have.
    MoreThanOwn,
    /// The tenant asks for a second factor, and the session has none.
    MfaNeeded,
    /// The tenant is suspended: its members may only read.
    TenantSuspended,
    /// The tenant would be left without an Admin.
    LastAdmin,
    /// These tenants of the caller would be left without an Admin.
    LastAdminOf { tenants: Vec<String> },
    /// The account is a member of the tenant.
    AlreadyMember,
    /// The object does not exist, or belongs to somebody else.
    NotFound,
    /// No operation has this path.
    NoSuchPath,
    /// The path has no operation with this method; the text is the `Allow` header.
    MethodNotAllowed(String),
    /// The body is no JSON (or YAML, where that is accepted).
    Syntax(String),
    /// The body was cut short, or could not be read.
    Unreadable,
    /// The body is longer than this.
    TooLarge { limit_bytes: usize },
    /// The body has another media type than these.
    MediaType { expected: &'static str },
    /// A header cannot be read.
    Header { name: &'static str, message: &'static str },
    /// Fields of the body or parameters of the query are wrong.
    Invalid(Vec<FieldError>),
    /// The value of a field is taken.
    Taken { field: &'static str, value: String },
    /// Two routes would be indistinguishable to a client.
    RouteTaken(Vec<FieldError>),
    /// The key has ended, so it cannot be rotated.
    KeyEnded { state: String },
    /// The object is used, so it cannot be deleted.
    InUse { what: &'static str, by: String },
    /// The site has as many of these as it may have.
    Limit { what: &'static str, limit: u32 },
    /// The tenant has as much of this as its platform plan allows.
    PlanLimit { limit: PlanLimit, allowed: i64, used: i64 },
    /// `If-Match` names another revision than the current one.
    Precondition { current: i64 },
    /// The `Idempotency-Key` was used for another request.
    KeyReused,
    /// The caller, or the address, has made too many requests.
    RateLimited(Refused),
    /// The request took too long.
    Timeout,
    /// The database cannot be reached.
    Unavailable,
    /// A secret is to be kept, and the operator has given no key to seal it with.
    NoSecretsKey,
    /// The operator lets nobody sign up.
    SignupClosed,
    /// An e-mail is to be sent, and the operator has named no mail server.
    NoMail,
    /// The address and the password are not those of an account.
    InvalidCredentials,
    /// The password is right, and nobody has proven yet that the address is the person's.
    EmailUnverified,
    /// The password is right, and the account asks for a second factor.
    MfaRequired,
    /// The password is right, and the second factor is not, or no longer.
    InvalidCode,
    /// The account has a second factor already.
    FactorExists,
    /// Something was tried too often.
    TooOften { retry_after_seconds: i64 },
    /// One item of many is refused, and with it all of them.
    InItem { index: usize, problem: Box<Problem> },
    /// A fault of ours; its cause is in the log.
    Internal,
}

impl Problem {
    /// One wrong field.
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::new(field, message)])
    }

    /// Status, last part of the type, and title.
    fn kind(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::MissingToken => {
                (StatusCode::UNAUTHORIZED, "missing-token", "Authentication is needed")
            }
            Self::InvalidToken => {
                (StatusCode::UNAUTHORIZED, "invalid-token", "The token is not valid")
            }
            Self::Forbidden | Self::RoleNeeded(_) => {
                (StatusCode::FORBIDDEN, "forbidden", "This is not allowed")
            }
            Self::ScopeNeeded(_) => {
                (StatusCode::FORBIDDEN, "scope", "The token does not have the scope")
            }
            Self::MoreThanOwn => {
                (StatusCode::FORBIDDEN, "more-than-own", "It would have more than its maker")
            }
            Self::MfaNeeded => {
                (StatusCode::FORBIDDEN, "mfa-needed", "The tenant asks for a second factor")
            }
            Self::TenantSuspended => {
                (StatusCode::FORBIDDEN, "tenant-suspended", "The tenant is suspended")
            }
            Self::LastAdmin | Self::LastAdminOf { .. } => {
                (StatusCode::CONFLICT, "last-admin", "A tenant needs an admin")
            }
            Self::AlreadyMember => {
                (StatusCode::CONFLICT, "already-member", "The account is a member already")
            }
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "There is no such object"),
            Self::NoSuchPath => (StatusCode::NOT_FOUND, "no-such-path", "There is no such path"),
            Self::MethodNotAllowed(_) => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "The path does not have this method",
            ),
            Self::Syntax(_) => (StatusCode::BAD_REQUEST, "syntax", "The body cannot be parsed"),
            Self::Unreadable => {
                (StatusCode::BAD_REQUEST, "unreadable", "The body could not be read")
            }
            Self::TooLarge { .. } => {
                (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too large")
            }
            Self::MediaType { .. } => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "media-type",
                "The media type of the body is not supported",
            ),
            Self::Header { .. } => (StatusCode::BAD_REQUEST, "header", "A header cannot be read"),
            Self::Invalid(_) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "invalid", "The request has invalid fields")
            }
            Self::Taken { .. } => (StatusCode::CONFLICT, "taken", "The value is taken"),
            Self::RouteTaken(_) => {
                (StatusCode::CONFLICT, "route-taken", "Two routes could not be told apart")
            }
            Self::KeyEnded { .. } => {
                (StatusCode::CONFLICT, "key-ended", "The key does not work any more")
            }
            Self::InUse { .. } => (StatusCode::CONFLICT, "in-use", "The object is in use"),
            Self::Limit { .. } => (StatusCode::CONFLICT, "limit", "A limit is reached"),
            Self::PlanLimit { .. } => (
                StatusCode::CONFLICT,
                "limit-reached",
                "A limit of the tenant's platform plan is reached",
            ),
            Self::Precondition { .. } => (
                StatusCode::PRECONDITION_FAILED,
                "changed",
                "The object has changed in the meantime",
            ),
            Self::KeyReused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency-key-reused",
                "The Idempotency-Key was used for another request",
            ),
            Self::RateLimited(_) => {
                (StatusCode::TOO_MANY_REQUESTS, "rate-limited", "There were too many requests")
            }
            Self::Timeout => {
                (StatusCode::SERVICE_UNAVAILABLE, "timeout", "The request took too long")
            }
            Self::Unavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The database cannot be reached")
            }
            Self::NoSecretsKey => {
                (StatusCode::SERVICE_UNAVAILABLE, "no-secrets-key", "Secrets cannot be kept here")
            }
            Self::SignupClosed => (StatusCode::FORBIDDEN, "signup-closed", "Nobody signs up here"),
            Self::NoMail => {
                (StatusCode::SERVICE_UNAVAILABLE, "no-mail", "E-mail cannot be sent from here")
            }
            Self::InvalidCredentials => (
                StatusCode::UNAUTHORIZED,
                "invalid-credentials",
                "The address or the password is wrong",
            ),
            Self::EmailUnverified => {
                (StatusCode::FORBIDDEN, "email-unverified", "The e-mail address is not verified")
            }
            Self::MfaRequired => {
                (StatusCode::UNAUTHORIZED, "mfa-required", "A second factor is needed")
            }
            Self::InvalidCode => {
                (StatusCode::UNAUTHORIZED, "invalid-code", "The code is not valid")
            }
            Self::FactorExists => {
                (StatusCode::CONFLICT, "factor-exists", "There is a second factor already")
            }
            Self::TooOften { .. } => {
                (StatusCode::TOO_MANY_REQUESTS, "too-often", "This was tried too often")
            }
            Self::InItem { problem, .. } => problem.kind(),
            Self::Internal => {
                (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong on our side")
            }
        }
    }

    fn detail(&self) -> Option<String> {
        Some(match self {
            Self::MissingToken => "Send a token as `Authorization: Bearer <token>`.".into(),
            Self::RoleNeeded(who) => who.text().to_owned(),
            Self::ScopeNeeded(scope) => format!("It needs the scope `{scope}`."),
            Self::MoreThanOwn => "Its role, scopes and expiry must be within your own.".into(),
            Self::MfaNeeded => "Set up a second factor for the account, and log in again with it.".into(),
            Self::TenantSuspended => "It can be read, and not be changed; ask the operator of the platform.".into(),
            Self::LastAdmin => "Make another member an admin first.".into(),
            Self::LastAdminOf { tenants } => format!(
                "You are the last admin of {}: make another member an admin first, or close the tenant and wait until it is erased.",
                tenants.join(", ")
            ),
            Self::AlreadyMember => "Ask an admin of the tenant to change the role.".into(),
            Self::Syntax(reason) => reason.clone(),
            Self::TooLarge { limit_bytes } => format!("It may have {limit_bytes} bytes at most."),
            Self::MediaType { expected } => format!("Send {expected}, and say so in Content-Type."),
            Self::Header { name, message } => format!("{name}: {message}."),
            Self::MethodNotAllowed(allow) => format!("It has {allow}."),
            Self::Invalid(errors) | Self::RouteTaken(errors) => match errors.as_slice() {
                [only] if only.field.is_empty() => only.message.clone(),
                [only] => format!("{}: {}.", only.field, only.message),
                more => format!("{} fields are wrong; see `errors`.", more.len()),
            },
            Self::Taken { field, value } => format!("The {field} `{value}` is already used; choose another."),
            Self::KeyEnded { state } => format!("It is {state}; make a new key instead."),
            Self::InUse { what, by } => format!("The {what} is used by {by}; change that first."),
            Self::Limit { what, limit } => format!("There can be {limit} {what} at most."),
            Self::PlanLimit { limit, allowed, used } => format!(
                "The plan allows {allowed} {}, and {used} are used; remove what is not needed, or ask the operator of the platform \
                 for another plan.",
                match limit {
                    PlanLimit::Sites => "sites",
                    PlanLimit::Routes => "routes",
                    PlanLimit::Keys => "keys that work",
                    PlanLimit::Members => "members",
                    PlanLimit::ConfigBytes => "bytes of configuration",
                }
            ),
            Self::Precondition { current } => {
                format!("The current entity tag is {}; get the object again and repeat the change.", etag(*current))
            }
            Self::NoSecretsKey => "The operator has to configure a key for secrets first: `tenantry-admin serve` takes it by \
                                   --secrets-key-file, and xds-server has to have the same one."
                .into(),
            Self::RateLimited(refused) => format!(
                "The limit `{}` allows {} requests in {} seconds; wait for {} s.",
                refused.limit, refused.burst, refused.window_s, refused.retry_after_s
            ),
            Self::SignupClosed => "Ask the operator of the platform for a tenant.".into(),
            Self::NoMail => {
                "The operator has to name a mail server first: `tenantry-admin serve` takes it by --smtp-url.".into()
            }
            Self::EmailUnverified => "Resetting the password proves it; that sends an e-mail.".into(),
            Self::MfaRequired => {
                "Repeat the request with `code`, from the authenticator, or with `recovery_code`.".into()
            }
            Self::InvalidCode => "Each code is good once, and only for a minute or so.".into(),
            Self::FactorExists => "Take it away first; that needs the password and a code.".into(),
            Self::TooOften { retry_after_seconds } => format!("Try again in {retry_after_seconds} seconds."),
            Self::InItem { index, problem } => {
                let why = problem.detail().unwrap_or_else(|| format!("{}.", problem.kind().2));
                format!("Nothing was done, because of item {index}: {why}")
            }
            Self::KeyReused => "Use a new key for a new request; repeat a request with the same body.".into(),
            _ => return None,
        })
    }

    /// The fields that are wrong.
    fn errors(self) -> Vec<FieldError> {
        match self {
            Self::Invalid(errors) | Self::RouteTaken(errors) => errors,
            Self::Taken { field, value } => {
                vec![FieldError::new(field, format!("`{value}` is already used"))]
            }
            Self::InItem { index, problem } => {
                let place = |error: FieldError| match error.field.as_str() {
                    "" => FieldError::new(format!("items[{index}]"), error.message),
                    field => FieldError::new(format!("items[{index}].{field}"), error.message),
                };
                problem.errors().into_iter().map(place).collect()
            }
            _ => Vec::new(),
        }
    }

    /// What is answered.
    pub fn into_body(self) -> ProblemBody {
        let (status, name, title) = self.kind();
        let r#type = format!("urn:tenantry:problem:{name}");
        let (detail, limit, errors) = (self.detail(), self.limit(), self.errors());
        ProblemBody { r#type, title, status: status.as_u16(), detail, errors, limit }
    }

    /// The limit that is reached, if it is one of a platform plan.
    fn limit(&self) -> Option<ReachedLimit> {
        match *self {
            Self::PlanLimit { limit, allowed, used } => {
                Some(ReachedLimit { name: limit.as_str(), allowed, used })
            }
            Self::InItem { ref problem, .. } => problem.limit(),
            _ => None,
        }
    }

    fn headers(&self) -> Vec<(HeaderName, String)> {
        match self {
            // RFC 6750 section 3: no error code when the request has no credentials at all.
            Self::MissingToken
            | Self::InvalidCredentials
            | Self::MfaRequired
            | Self::InvalidCode => {
                vec![(header::WWW_AUTHENTICATE, format!("Bearer realm=\"{REALM}\""))]
            }
            Self::InvalidToken => {
                vec![(
                    header::WWW_AUTHENTICATE,
                    format!("Bearer realm=\"{REALM}\", error=\"invalid_token\""),
                )]
            }
            Self::Forbidden | Self::RoleNeeded(_) | Self::ScopeNeeded(_) => {
                vec![(
                    header::WWW_AUTHENTICATE,
                    format!("Bearer realm=\"{REALM}\", error=\"insufficient_scope\""),
                )]
            }
            Self::MethodNotAllowed(allow) => vec![(header::ALLOW, allow.clone())],
            Self::Precondition { current } => vec![(header::ETAG, etag(*current))],
            // The headers of draft-ietf-httpapi-ratelimit-headers-10, as on the data plane.
            Self::RateLimited(Refused { limit, burst, window_s, retry_after_s }) => vec![
                (header::RETRY_AFTER, retry_after_s.to_string()),
                (
                    HeaderName::from_static(RATE_LIMIT_POLICY),
                    format!("\"{limit}\";q={burst};w={window_s}"),
                ),
                (HeaderName::from_static(RATE_LIMIT), format!("\"{limit}\";r=0;t={retry_after_s}")),
            ],
            Self::TooOften { retry_after_seconds } => {
                vec![(header::RETRY_AFTER, retry_after_seconds.to_string())]
            }
            Self::InItem { problem, .. } => problem.headers(),
            Self::Timeout | Self::Unavailable => {
                vec![(header::RETRY_AFTER, RETRY_AFTER_SECONDS.into())]
            }
            _ => Vec::new(),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let transient = error.is_transient();
        match error {
            StoreError::NotFound { .. } => Self::NotFound,
            StoreError::Conflict { field: "key", value } => Self::KeyEnded { state: value },
            StoreError::Conflict { field: "factor", .. } => Self::FactorExists,
            // Where the client said it.
            StoreError::Conflict { field: "subjects", value } => {
                Self::Taken { field: "settings.subjects", value }
            }
            StoreError::Conflict { field, value } => Self::Taken { field, value },
            StoreError::InUse { what, by } => Self::InUse { what, by: format!("a {by}") },
            StoreError::Revision { current } => Self::Precondition { current },
            StoreError::Invalid { field, reason } => Self::field(field, reason),
            StoreError::LastAdmin => Self::LastAdmin,
            StoreError::LastAdminOf { tenants } => Self::LastAdminOf { tenants },
            StoreError::AlreadyMember => Self::AlreadyMember,
            StoreError::NoSecretsKey => Self::NoSecretsKey,
            StoreError::LimitReached { what, limit } => Self::Limit { what, limit },
            StoreError::PlanLimit { limit, allowed, used } => {
                Self::PlanLimit { limit, allowed, used }
            }
            ref unavailable if transient || unavailable.is_unavailable() => {
                tracing::warn!(error = %Causes(unavailable), "the database could not be used");
                Self::Unavailable
            }
            other => {
                tracing::error!(error = %Causes(&other), "the store failed");
                Self::Internal
            }
        }
    }
}

impl From<NoRandomness> for Problem {
    fn from(error: NoRandomness) -> Self {
        tracing::error!(%error, "no key could be drawn");
        Self::Internal
    }
}

/// An error with all its causes, on one line.
struct Causes<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, headers) = (self.kind().0, self.headers());
        let body = self.into_body();
        let mut response = (status, Json(body)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}
