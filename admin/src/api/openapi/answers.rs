//! The answers that operations share.

use utoipa::ToSchema as _;
use utoipa::openapi::header::Header;
use utoipa::openapi::{
    Content, Object, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder, Schema, Type,
};

use crate::http::problem::{PROBLEM_JSON, ProblemBody};
use crate::receipt::Receipt;

/// The answers that many operations have: name, status, description.
pub(super) const PROBLEMS: [(&str, &str, &str); 14] = [
    ("BadRequest", "400", "The body cannot be parsed, or a header cannot be read."),
    ("Unauthorized", "401", "There is no valid token."),
    (
        "Forbidden",
        "403",
        "The caller has another role than the operation needs: see its `x-tenantry-role`.",
    ),
    ("NotFound", "404", "The object, or one of those in its path, does not exist."),
    ("SlowBody", "408", "The body did not come in time."),
    (
        "Conflict",
        "409",
        "A value is taken, an object is in use or being changed by another request, or a limit is \
         reached: a general bound, or one of the tenant's platform plan (`limit-reached`).",
    ),
    (
        "PreconditionFailed",
        "412",
        "The object has changed since: `If-Match` names another revision.",
    ),
    ("TooLarge", "413", "The body is too large."),
    ("UnsupportedMediaType", "415", "The body has another media type than the operation takes."),
    (
        "Unprocessable",
        "422",
        "Fields are wrong; `errors` names them. Or the `Idempotency-Key` was used for another \
         request.",
    ),
    (
        "LoginFailed",
        "",
        "The credentials are wrong, or a second factor is needed: `type` tells which.",
    ),
    (
        "TooOften",
        "429",
        "The caller, or the address, has made too many requests: `RateLimit-Policy` names the \
         limit. Or there were too many attempts; or requests of the tenant take its share of the \
         database (`share-taken`). `Retry-After` tells when to try again.",
    ),
    ("Internal", "500", "A fault of this program; the log has the cause under the request id."),
    (
        "Unavailable",
        "503",
        "The database cannot be reached, or the request took too long: try again. Or a secret is \
         to be kept, and the operator has configured no key for secrets; or an e-mail is to be \
         sent, and there is no mail server.",
    ),
];

/// The answer with a problem.
pub(super) fn problem(name: &str, description: &str) -> Response {
    let body = Content::new(Some(Ref::from_schema_name(ProblemBody::name())));
    let response = ResponseBuilder::new()
        .description(description)
        .content(PROBLEM_JSON, body)
        .header("x-request-id", text("The id of the request, for the log."));
    match name {
        "Unauthorized" | "LoginFailed" => {
            response.header("WWW-Authenticate", text("`Bearer` with the reason (RFC 6750)."))
        }
        "PreconditionFailed" => response.header("ETag", text("The current entity tag.")),
        "TooOften" => response
            .header("Retry-After", text("The seconds after which to try again."))
            .header(
                "RateLimit-Policy",
                text("If a rate limit was reached: its name, `q` requests in `w` seconds."),
            )
            .header(
                "RateLimit",
                text("`r` requests are left, and there is one again in `t` seconds."),
            ),
        "Unavailable" => {
            response.header("Retry-After", text("The seconds after which to try again."))
        }
        _ => response,
    }
    .build()
}

/// A header with a text.
pub(super) fn text(description: &str) -> Header {
    let mut header = Header::new(ObjectBuilder::new().schema_type(Type::String).build());
    header.description = Some(description.into());
    header
}

/// The answers to writes with `wait`.
pub(super) const NOT_EVERYWHERE: &str = "Only with `wait`: the change is made, and not every Envoy \
                                         has it yet, or one has refused it. `receipt` tells which; \
                                         it is null if that is not known.";
pub(super) const EVERYWHERE: &str =
    "Only with `wait`: it is done, and every Envoy has it, as `receipt` shows.";

/// An answer to a write with `wait`.
pub(super) fn with_receipt(description: &str) -> Response {
    let mut field = Object::new();
    field.properties.insert("receipt".into(), RefOr::Ref(Ref::from_schema_name(Receipt::name())));
    ResponseBuilder::new()
        .description(description)
        .content("application/json", Content::new(Some(Schema::Object(field))))
        .build()
}
