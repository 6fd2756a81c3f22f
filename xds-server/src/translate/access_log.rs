//! The access log: one line of JSON per request on standard output.

use std::collections::BTreeMap;

use xds_api::pb::envoy::config::accesslog::v3::{
    AccessLog, AccessLogFilter, access_log, comparison_filter::Op,
};

use super::log_filter::{all, any, has_status, satisfies};
use super::ordered::{JsonLogFormat, StdoutAccessLog, Struct, Text};
use super::protobuf::pack_as;

/// The fields, and Envoy's command operators for them. The path is the one that the client sent,
/// without its query, which may hold secrets; tenant, site, route, consumer and the reason of a
/// refusal come from the filter. The headers are there once the router has the request: a request
/// that fails before (no route yet, the client went away) has the site and the route in `route`, as
/// the filter named them, with a comma between.
const FIELDS: [(&str, &str); 25] = [
    ("authority", "%REQ(:AUTHORITY)%"),
    ("bytes_received", "%BYTES_RECEIVED%"),
    ("bytes_sent", "%BYTES_SENT%"),
    ("client", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"),
    ("connection_details", "%CONNECTION_TERMINATION_DETAILS%"),
    ("consumer", "%REQ(X-TENANTRY-CONSUMER)%"),
    ("details", "%RESPONSE_CODE_DETAILS%"),
    ("duration_ms", "%DURATION%"),
    ("flags", "%RESPONSE_FLAGS%"),
    ("method", "%REQ(:METHOD)%"),
    ("path", "%PATH(NQ:ORIG_OR_PATH)%"),
    ("protocol", "%PROTOCOL%"),
    ("refusal", "%FILTER_STATE(wasm.tenantry_refusal:PLAIN)%"),
    ("request_duration_ms", "%REQUEST_DURATION%"),
    ("request_id", "%REQ(X-REQUEST-ID)%"),
    ("response_duration_ms", "%RESPONSE_DURATION%"),
    ("route", "%REQ(X-TENANTRY-ROUTE)%"),
    ("site", "%REQ(X-TENANTRY-SITE)%"),
    ("start_time", "%START_TIME(%Y-%m-%dT%H:%M:%E6SZ)%"),
    ("status", "%RESPONSE_CODE%"),
    ("tenant", "%REQ(X-TENANTRY-TENANT)%"),
    ("upstream_attempts", "%UPSTREAM_REQUEST_ATTEMPT_COUNT%"),
    ("upstream_failure", "%UPSTREAM_TRANSPORT_FAILURE_REASON%"),
    ("upstream_host", "%UPSTREAM_HOST%"),
    ("user_agent", "%REQ(USER-AGENT)%"),
];

/// The fields that the filter decides; the other ones are Envoy's own.
const DECIDED: [&str; 4] = ["consumer", "route", "site", "tenant"];

/// Envoy refused the request without asking the filter, which removes what clients made up. The
/// names are of Envoy's "Response code details".
const REFUSED_UNSEEN: &str = concat!(
    r#"has(response.code_details) && (response.code_details in ["path_normalization_failed", "#,
    r#""missing_host_header", "missing_path_rejected", "absolute_path_rejected", "#,
    r#""invalid_path", "invalid_scheme", "low_version", "overload", "upgrade_failed"] || "#,
    r#"response.code_details.startsWith("http1.") || "#,
    r#"response.code_details.startsWith("http2."))"#,
);

/// The access log of the HTTP connection manager, in two: the headers of a request that Envoy
/// refused before the filter saw it are the client's word, so there the fields that the filter
/// decides are left out.
pub(super) fn stdout() -> Vec<AccessLog> {
    let seen = format!("!({REFUSED_UNSEEN})");
    let seen = any(vec![has_status(Op::Le, 399), satisfies(&seen)]);
    let unseen = all(vec![has_status(Op::Ge, 400), satisfies(REFUSED_UNSEEN)]);
    vec![
        log("stdout", seen, |_| true),
        log("stdout_refused", unseen, |name| !DECIDED.contains(&name)),
    ]
}

fn log(name: &str, filter: AccessLogFilter, has_field: impl Fn(&str) -> bool) -> AccessLog {
    let fields = FIELDS.iter().filter(|(name, _)| has_field(name));
    let fields: BTreeMap<_, _> = fields
        .map(|(name, format)| ((*name).to_owned(), Text { string_value: (*format).to_owned() }))
        .collect();
    let format = JsonLogFormat {
        json_format: Some(Struct { fields }),
        omit_empty_values: false,
        formatters: Vec::new(),
    };
    AccessLog {
        name: name.to_owned(),
        filter: Some(filter),
        config_type: Some(access_log::ConfigType::TypedConfig(pack_as(
            "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
            &StdoutAccessLog { log_format: Some(format) },
        ))),
    }
}

#[cfg(test)]
mod tests {
    use policy::{filter_state, header_name};

    use super::*;

    #[test]
    fn the_fields_read_what_the_filter_and_the_routes_write() {
        let format =
            |field: &str| FIELDS.iter().find(|(name, _)| *name == field).expect("a field").1;
        for (field, name) in [
            ("consumer", header_name::CONSUMER),
            ("route", header_name::ROUTE),
            ("site", header_name::SITE),
            ("tenant", header_name::TENANT),
        ] {
            assert_eq!(format(field), format!("%REQ({})%", name.to_ascii_uppercase()));
        }
        let (prefix, refusal) = (filter_state::ACCESS_LOG_PREFIX, filter_state::REFUSAL);
        assert_eq!(format("refusal"), format!("%FILTER_STATE({prefix}{refusal}:PLAIN)%"));
    }
}
