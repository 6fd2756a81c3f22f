//! Problems that any request can have.

use super::kind::{Kind, kinds};

kinds! {
    /// The object does not exist, or belongs to another tenant.
    NOT_FOUND = Kind::not_found("not-found", "There is no such object");
    /// No operation has this path.
    NO_SUCH_PATH = Kind::not_found("no-such-path", "There is no such path");
    /// The path has operations, but none with this method.
    METHOD_NOT_ALLOWED = Kind::new(
        axum::http::StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        "The path does not have this method",
    );
    /// The body is no JSON (or YAML, where that is accepted).
    SYNTAX = Kind::bad_request("syntax", "The body cannot be parsed");
    /// The body was cut short, or could not be read.
    UNREADABLE = Kind::bad_request("unreadable", "The body could not be read");
    /// The body comes too slowly.
    SLOW_BODY = Kind::new(
        axum::http::StatusCode::REQUEST_TIMEOUT,
        "slow-body",
        "The body did not come in time",
    );
    /// The body is too long.
    TOO_LARGE = Kind::new(
        axum::http::StatusCode::PAYLOAD_TOO_LARGE,
        "too-large",
        "The body is too large",
    );
    /// The body has a media type that the operation does not take.
    MEDIA_TYPE = Kind::new(
        axum::http::StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "media-type",
        "The media type of the body is not supported",
    );
    /// A header cannot be read.
    HEADER = Kind::bad_request("header", "A header cannot be read");
    /// Fields of the body or parameters of the query are wrong.
    INVALID = Kind::unprocessable("invalid", "The request has invalid fields");
    /// Another object has the value of a field already.
    TAKEN = Kind::conflict("taken", "The value is taken");
    /// Other objects use the object, so it cannot be deleted.
    IN_USE = Kind::conflict("in-use", "The object is in use");
    /// The parent has as many of these as it may have.
    LIMIT = Kind::conflict("limit", "A limit is reached");
    /// `If-Match` names another revision than the current one.
    CHANGED = Kind::new(
        axum::http::StatusCode::PRECONDITION_FAILED,
        "changed",
        "The object has changed in the meantime",
    );
    /// The `Idempotency-Key` was used for another request.
    KEY_REUSED = Kind::unprocessable(
        "idempotency-key-reused",
        "The Idempotency-Key was used for another request",
    )
    .detail("Use a new key for a new request, or repeat the request with the same body.");
    /// The caller, or the address, has made too many requests.
    RATE_LIMITED = Kind::too_many("rate-limited", "Too many requests");
    /// Another change of the object is under way, and has taken too long to wait for.
    BEING_CHANGED =
        Kind::conflict("being-changed", "Another change is being made").retry_soon();
    /// The tenant, or the person, has its share of the database, and a queue of requests besides.
    SHARE_TAKEN = Kind::too_many("share-taken", "Too many requests at the same time")
        .detail(
            "Your other requests, or those of your tenant, take your share of the database; wait \
             for their answers.",
        )
        .retry_soon();
    /// Too many log in, sign up or use a token of a letter at the same time.
    BUSY = Kind::unavailable("busy", "Too many requests at the same time").retry_soon();
    /// The request took longer than it may take.
    TIMEOUT = Kind::unavailable("timeout", "The request took too long").retry_soon();
    /// The database cannot be reached.
    UNAVAILABLE =
        Kind::unavailable("unavailable", "The database cannot be reached").retry_soon();
    /// A fault of this program; its cause is in the log.
    INTERNAL = Kind::new(
        axum::http::StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "Something went wrong on our side",
    );
}
