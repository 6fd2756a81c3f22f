//! Envoy's own error replies, turned into problem details (RFC 9457).
//!
//! Replies of the wasm filter and direct responses of routes are problems already and stay as they are: they carry no
//! response flag, and where Envoy sets none either, its reply is told by the detail that only Envoy gives.

use envoy_types::pb::envoy::extensions::access_loggers::filters::cel::v3::ExpressionFilter;
use xds_api::pb::envoy::config::accesslog::v3::{
    AccessLogFilter, AndFilter, ComparisonFilter, ExtensionFilter, ResponseFlagFilter, StatusCodeFilter,
    access_log_filter::FilterSpecifier, comparison_filter::Op, extension_filter,
};
use xds_api::pb::envoy::config::core::v3::{RuntimeUInt32, SubstitutionFormatString, substitution_format_string};
use xds_api::pb::envoy::extensions::filters::network::http_connection_manager::v3::{LocalReplyConfig, ResponseMapper};

use super::problem::{CONTENT_TYPE, Problem, overwrite};
use super::protobuf::{inline_text, pack_as};

/// How Envoy's own reply is told from all others with the same status.
enum Told {
    /// By one of these response flags; an empty list is any flag.
    Flags(&'static [&'static str]),
    /// By the status alone, which nothing else here answers.
    Status,
    /// By an expression over the response's attributes.
    Expression(&'static str),
}

/// In the order in which they are tried; the first that fits is taken.
const REPLIES: [(Told, u32, &str, &str); 13] = [
    (Told::Flags(&["OM"]), 503, "Service Unavailable", "The gateway is overloaded; try again."),
    (Told::Flags(&["UO"]), 503, "Service Unavailable", "The upstream of this route has too many requests in flight."),
    (Told::Flags(&["NC", "UH"]), 503, "Service Unavailable", "The route has no upstream that could answer."),
    (
        Told::Flags(&[]),
        503,
        "Service Unavailable",
        "The upstream of this route could not be reached, or closed the connection.",
    ),
    (Told::Flags(&[]), 502, "Bad Gateway", "The upstream of this route gave an answer that is not HTTP."),
    (Told::Status, 504, "Gateway Timeout", "The upstream of this route did not answer in time."),
    (Told::Flags(&[]), 404, "Not Found", "There is no route at this path."),
    (Told::Status, 408, "Request Timeout", "The request did not arrive in time."),
    (Told::Status, 413, "Content Too Large", "The body of the request is too large."),
    (Told::Status, 426, "Upgrade Required", "The request needs another version of HTTP."),
    (Told::Status, 431, "Request Header Fields Too Large", "The headers of the request are too large."),
    (Told::Flags(&[]), 400, "Bad Request", "The request is not valid HTTP."),
    (Told::Expression(OWN_400), 400, "Bad Request", "The request is not one that this gateway accepts."),
];

/// The details of Envoy's refusals of a request without a response flag (Envoy, "Response code details").
const OWN_400: &str = r#"response.code_details in ["path_normalization_failed", "missing_host_header", "missing_path_rejected", "absolute_path_rejected", "low_version", "invalid_scheme", "downstream_local_disconnect(invalid_path)"] || response.code_details.startsWith("http1.") || response.code_details.startsWith("http2.")"#;

/// The replies of the HTTP connection manager.
pub(super) fn config() -> LocalReplyConfig {
    LocalReplyConfig { mappers: REPLIES.iter().map(mapper).collect(), body_format: None }
}

fn mapper((told, status, title, detail): &(Told, u32, &'static str, &'static str)) -> ResponseMapper {
    let problem = Problem { status: *status, title, detail };
    let format = SubstitutionFormatString {
        content_type: CONTENT_TYPE.to_owned(),
        format: Some(substitution_format_string::Format::TextFormatSource(inline_text(&problem.body()))),
        ..Default::default()
    };
    let overloaded = matches!(told, Told::Flags(["OM"]));
    ResponseMapper {
        filter: Some(filter(told, *status)),
        body_format_override: Some(format),
        headers_to_add: if overloaded { vec![overwrite("retry-after", "1")] } else { Vec::new() },
        ..Default::default()
    }
}

fn filter(told: &Told, status: u32) -> AccessLogFilter {
    let and = |other| of(FilterSpecifier::AndFilter(AndFilter { filters: vec![has_status(status), other] }));
    match told {
        Told::Status => has_status(status),
        Told::Flags(flags) => {
            let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
            and(of(FilterSpecifier::ResponseFlagFilter(ResponseFlagFilter { flags })))
        }
        Told::Expression(expression) => and(cel(expression)),
    }
}

fn has_status(status: u32) -> AccessLogFilter {
    // Envoy wants a runtime key here; one that nobody sets leaves the default.
    let value = RuntimeUInt32 { default_value: status, runtime_key: "tenantry.local_reply".to_owned() };
    let comparison = ComparisonFilter { op: Op::Eq.into(), value: Some(value) };
    of(FilterSpecifier::StatusCodeFilter(StatusCodeFilter { comparison: Some(comparison) }))
}

fn cel(expression: &str) -> AccessLogFilter {
    let config = pack_as(
        "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
        &ExpressionFilter { expression: expression.to_owned() },
    );
    of(FilterSpecifier::ExtensionFilter(ExtensionFilter {
        name: "envoy.access_loggers.extension_filters.cel".to_owned(),
        config_type: Some(extension_filter::ConfigType::TypedConfig(config)),
    }))
}

fn of(specifier: FilterSpecifier) -> AccessLogFilter {
    AccessLogFilter { filter_specifier: Some(specifier) }
}
