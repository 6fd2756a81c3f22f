//! Envoy's own error replies, turned into problem details (RFC 9457).
//!
//! Replies of the wasm filter and direct responses of routes are problems already and stay as they
//! are: they carry no response flag, and where Envoy sets none either, its reply is told by the
//! detail that only Envoy gives.

use policy::header_name;
use policy::refusal::MEDIA_TYPE;
use xds_api::pb::envoy::config::accesslog::v3::{AccessLogFilter, comparison_filter::Op};
use xds_api::pb::envoy::config::core::v3::{SubstitutionFormatString, substitution_format_string};
use xds_api::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    LocalReplyConfig, ResponseMapper,
};

use super::log_filter::{all, has_flag, has_header, has_status, satisfies};
use super::problem::{Problem, overwrite};
use super::protobuf::{inline_text, uint};

/// The mark by which Envoy's own reply is told from all others with the same status.
enum Mark {
    /// By one of these response flags; an empty list is any flag.
    Flags(&'static [&'static str]),
    /// By the status alone, which nothing else here answers.
    Status,
    /// By an expression over the response's attributes.
    Expression(&'static str),
    /// By having no route, for a request for which the filter has found one: this Envoy has not got
    /// it yet.
    NotYet,
}

/// One kind of reply: its mark, its status, and the problem that it becomes.
struct Reply(Mark, u32, Problem);

const fn problem(status: u32, title: &'static str, detail: &'static str) -> Problem {
    Problem { status, title, detail }
}

const UNAVAILABLE: &str = "Service Unavailable";

/// In the order in which they are tried; the first that fits is taken.
const REPLIES: [Reply; 16] = [
    Reply(Mark::NotYet, 404, super::route::NOT_YET),
    Reply(
        Mark::Flags(&["OM"]),
        503,
        problem(503, UNAVAILABLE, "The gateway is overloaded; try again."),
    ),
    Reply(
        Mark::Expression(FILTER_FAILED),
        503,
        problem(503, UNAVAILABLE, "The gateway is not ready yet."),
    ),
    Reply(
        Mark::Flags(&["UO"]),
        503,
        problem(503, UNAVAILABLE, "The upstream of this route has too many requests in flight."),
    ),
    Reply(
        Mark::Flags(&["NC", "UH"]),
        503,
        problem(503, UNAVAILABLE, "The route has no upstream that could answer."),
    ),
    Reply(
        Mark::Flags(&[]),
        503,
        problem(
            503,
            UNAVAILABLE,
            "The upstream of this route could not be reached, or closed the connection.",
        ),
    ),
    Reply(
        Mark::Flags(&[]),
        502,
        problem(502, "Bad Gateway", "The upstream of this route gave an answer that is not HTTP."),
    ),
    Reply(
        Mark::Status,
        504,
        problem(504, "Gateway Timeout", "The upstream of this route did not answer in time."),
    ),
    Reply(Mark::Flags(&[]), 404, problem(404, "Not Found", "There is no route at this path.")),
    Reply(
        Mark::Status,
        408,
        problem(408, "Request Timeout", "The request did not arrive in time."),
    ),
    Reply(
        Mark::Status,
        413,
        problem(413, "Content Too Large", "The body of the request is too large."),
    ),
    Reply(
        Mark::Status,
        426,
        problem(426, "Upgrade Required", "The request needs another version of HTTP."),
    ),
    Reply(
        Mark::Status,
        431,
        problem(
            431,
            "Request Header Fields Too Large",
            "The headers of the request are too large.",
        ),
    ),
    Reply(Mark::Flags(&[]), 400, problem(400, "Bad Request", "The request is not valid HTTP.")),
    Reply(
        Mark::Expression(REFUSED_BY_ENVOY),
        400,
        problem(400, "Bad Request", "The request is not one that this gateway accepts."),
    ),
    Reply(
        Mark::Expression(UPGRADE_REFUSED),
        403,
        problem(403, "Forbidden", "This gateway does not upgrade connections."),
    ),
];

/// The details of Envoy's refusals of a request without a response flag (Envoy, "Response code
/// details").
const REFUSED_BY_ENVOY: &str = concat!(
    r#"response.code_details in ["path_normalization_failed", "missing_host_header", "#,
    r#""missing_path_rejected", "invalid_path", "invalid_scheme", "#,
    r#""invalid_envoy_request_headers"] || response.code_details.startsWith("http1.") || "#,
    r#"response.code_details.startsWith("http2.")"#,
);
const UPGRADE_REFUSED: &str = r#"response.code_details == "upgrade_failed""#;
/// The module trapped, and is loaded again at the next request.
const FILTER_FAILED: &str = r#"response.code_details == "wasm_fail_stream""#;

/// The replies of the HTTP connection manager.
pub(super) fn config() -> LocalReplyConfig {
    LocalReplyConfig { mappers: REPLIES.iter().map(mapper).collect(), body_format: None }
}

fn mapper(Reply(mark, status, problem): &Reply) -> ResponseMapper {
    let format = SubstitutionFormatString {
        content_type: MEDIA_TYPE.to_owned(),
        format: Some(substitution_format_string::Format::TextFormatSource(inline_text(
            &problem.body(),
        ))),
        ..Default::default()
    };
    let passing =
        matches!(mark, Mark::NotYet | Mark::Flags(["OM"]) | Mark::Expression(FILTER_FAILED));
    ResponseMapper {
        filter: Some(filter(mark, *status)),
        status_code: if problem.status == *status { None } else { uint(problem.status) },
        body_format_override: Some(format),
        headers_to_add: if passing { vec![overwrite("retry-after", "1")] } else { Vec::new() },
        ..Default::default()
    }
}

fn filter(mark: &Mark, status: u32) -> AccessLogFilter {
    let is_status = has_status(Op::Eq, status);
    match mark {
        Mark::Status => is_status,
        Mark::Flags(flags) => all(vec![is_status, has_flag(flags)]),
        Mark::Expression(expression) => all(vec![is_status, satisfies(expression)]),
        Mark::NotYet => all(vec![is_status, has_flag(&["NR"]), has_header(header_name::ROUTE)]),
    }
}
