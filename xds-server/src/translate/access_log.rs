//! The access log: one line of JSON per request on standard output.

use std::collections::BTreeMap;

use xds_api::pb::envoy::config::accesslog::v3::{AccessLog, access_log};

use super::ordered::{JsonLogFormat, StdoutAccessLog, Struct, Text};
use super::protobuf::pack_as;

/// The fields, and Envoy's command operators for them. The path is the one that the client sent, without its query, which
/// may hold secrets; tenant, site, route and consumer are what the filter decided.
const FIELDS: [(&str, &str); 24] = [
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

/// The access log of the HTTP connection manager.
pub(super) fn stdout() -> AccessLog {
    let fields: BTreeMap<_, _> =
        FIELDS.iter().map(|(name, format)| ((*name).to_owned(), Text { string_value: (*format).to_owned() })).collect();
    let format =
        JsonLogFormat { json_format: Some(Struct { fields }), omit_empty_values: false, formatters: Vec::new() };
    let log = StdoutAccessLog { log_format: Some(format) };
    AccessLog {
        name: "stdout".to_owned(),
        filter: None,
        config_type: Some(access_log::ConfigType::TypedConfig(pack_as(
            "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
            &log,
        ))),
    }
}
