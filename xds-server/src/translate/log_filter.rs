//! Conditions on a finished request, of which both access logs and local replies are made.

use envoy_types::pb::envoy::extensions::access_loggers::filters::cel::v3::ExpressionFilter;
use xds_api::pb::envoy::config::accesslog::v3::{
    AccessLogFilter, AndFilter, ComparisonFilter, ExtensionFilter, HeaderFilter, OrFilter,
    ResponseFlagFilter, StatusCodeFilter, access_log_filter::FilterSpecifier,
    comparison_filter::Op, extension_filter,
};
use xds_api::pb::envoy::config::core::v3::RuntimeUInt32;
use xds_api::pb::envoy::config::route::v3::{HeaderMatcher, header_matcher};

use super::protobuf::pack_as;

/// All of these, two or more.
pub(super) fn all(filters: Vec<AccessLogFilter>) -> AccessLogFilter {
    of(FilterSpecifier::AndFilter(AndFilter { filters }))
}

/// Any of these, two or more; the cheap ones belong in front.
pub(super) fn any(filters: Vec<AccessLogFilter>) -> AccessLogFilter {
    of(FilterSpecifier::OrFilter(OrFilter { filters }))
}

/// One of these response flags; an empty list is any flag.
pub(super) fn has_flag(flags: &[&str]) -> AccessLogFilter {
    let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
    of(FilterSpecifier::ResponseFlagFilter(ResponseFlagFilter { flags }))
}

/// The request has this header.
pub(super) fn has_header(name: &str) -> AccessLogFilter {
    let header = HeaderMatcher {
        name: name.to_owned(),
        header_match_specifier: Some(header_matcher::HeaderMatchSpecifier::PresentMatch(true)),
        ..Default::default()
    };
    of(FilterSpecifier::HeaderFilter(HeaderFilter { header: Some(header) }))
}

/// The status of the response compares so; it is 0 if there was none.
pub(super) fn has_status(op: Op, status: u32) -> AccessLogFilter {
    // Envoy wants a runtime key here; one that is never set leaves the default.
    let value = RuntimeUInt32 { default_value: status, runtime_key: "tenantry.status".to_owned() };
    let comparison = ComparisonFilter { op: op.into(), value: Some(value) };
    of(FilterSpecifier::StatusCodeFilter(StatusCodeFilter { comparison: Some(comparison) }))
}

/// The request and its response satisfy this CEL expression (Envoy, "Attributes").
pub(super) fn satisfies(expression: &str) -> AccessLogFilter {
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
