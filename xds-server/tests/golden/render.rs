//! Resources as text that a person can review: protobuf's JSON where there is one, and else the
//! fields as Rust shows them.

use std::collections::BTreeMap;
use std::fmt::Debug;

use envoy_types::pb::envoy::config::core::v3::substitution_format_string::Format;
use envoy_types::pb::envoy::extensions::access_loggers::filters::cel::v3::ExpressionFilter;
use envoy_types::pb::envoy::extensions::access_loggers::stream::v3::{
    StdoutAccessLog, stdout_access_log,
};
use envoy_types::pb::envoy::extensions::filters::http::on_demand::v3::OnDemand;
use envoy_types::pb::envoy::extensions::filters::http::wasm::v3::Wasm;
use envoy_types::pb::envoy::extensions::http::early_header_mutation::header_mutation::v3::HeaderMutation;
use envoy_types::pb::envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
use policy::wire;
use prost::Message;
use serde::Serialize;
use serde_json::{Map, Value, json};
use xds_api::pb::envoy::config::cluster::v3::Cluster;
use xds_api::pb::envoy::config::core::v3::TypedExtensionConfig;
use xds_api::pb::envoy::config::endpoint::v3::ClusterLoadAssignment;
use xds_api::pb::envoy::config::listener::v3::Listener;
use xds_api::pb::envoy::config::route::v3::{Route, RouteConfiguration, ScopedRouteConfiguration};
use xds_api::pb::envoy::extensions::filters::http::router::v3::Router;
use xds_api::pb::envoy::r#type::matcher::v3::HttpRequestHeaderMatchInput;
use xds_server::resource::Named;

/// The whole of an `output.json`.
pub(crate) fn resources(translated: &Result<Vec<Named>, String>) -> String {
    let value = match translated {
        Ok(resources) => resources.iter().map(resource).collect(),
        Err(error) => json!({ "error": error }),
    };
    let mut text = serde_json::to_string_pretty(&value).expect("a value");
    text.push('\n');
    text
}

fn resource(named: &Named) -> Value {
    let body = &named.resource.body;
    json!({
        "type": named.kind.label(),
        "name": named.name,
        "version": named.resource.version.as_str(),
        "resource": message(&body.type_url, &body.value),
    })
}

/// A message of any type that is used. A new one has to be added here.
fn message(type_url: &str, bytes: &[u8]) -> Value {
    let name = type_url.strip_prefix("type.googleapis.com/").expect("the host of type URLs");
    match name {
        "envoy.config.cluster.v3.Cluster" => json_of::<Cluster>(bytes),
        "envoy.config.core.v3.TypedExtensionConfig" => json_of::<TypedExtensionConfig>(bytes),
        "envoy.config.endpoint.v3.ClusterLoadAssignment" => json_of::<ClusterLoadAssignment>(bytes),
        "envoy.config.listener.v3.Listener" => json_of::<Listener>(bytes),
        "envoy.config.route.v3.Route" => json_of::<Route>(bytes),
        "envoy.config.route.v3.RouteConfiguration" => json_of::<RouteConfiguration>(bytes),
        "envoy.config.route.v3.ScopedRouteConfiguration" => {
            json_of::<ScopedRouteConfiguration>(bytes)
        }
        "envoy.extensions.filters.http.router.v3.Router" => json_of::<Router>(bytes),
        "envoy.type.matcher.v3.HttpRequestHeaderMatchInput" => {
            json_of::<HttpRequestHeaderMatchInput>(bytes)
        }
        "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter" => {
            debug_of::<ExpressionFilter>(bytes)
        }
        "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog" => access_log(bytes),
        "envoy.extensions.filters.http.on_demand.v3.OnDemand" => debug_of::<OnDemand>(bytes),
        "envoy.extensions.filters.http.wasm.v3.Wasm" => debug_of::<Wasm>(bytes),
        "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation" => {
            debug_of::<HeaderMutation>(bytes)
        }
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions" => {
            debug_of::<HttpProtocolOptions>(bytes)
        }
        "tenantry.filter.v1.Host" => debug_of::<wire::Host>(bytes),
        "tenantry.filter.v1.ConsumerBucket" => debug_of::<wire::ConsumerBucket>(bytes),
        "tenantry.filter.v1.KeyBucket" => debug_of::<wire::KeyBucket>(bytes),
        "tenantry.filter.v1.SitePolicy" => debug_of::<wire::SitePolicy>(bytes),
        "tenantry.filter.v1.Sync" => debug_of::<wire::Sync>(bytes),
        other => panic!("add {other} to tests/golden/render.rs"),
    }
}

fn json_of<M: Message + Default + Serialize>(bytes: &[u8]) -> Value {
    let message = M::decode(bytes).expect("a message of the type that its URL says");
    unpacked(serde_json::to_value(message).expect("a message has a JSON form"))
}

/// Messages that are packed in others, and that `xds-api` leaves as bytes, shown as what they are.
fn unpacked(value: Value) -> Value {
    match value {
        Value::Object(mut fields) => {
            if let (Some(Value::String(type_url)), Some(Value::Array(bytes))) =
                (fields.get("@type"), fields.get("value"))
            {
                let bytes: Vec<u8> =
                    bytes.iter().map(|byte| byte.as_u64().expect("a byte") as u8).collect();
                let content = message(type_url, &bytes);
                fields.insert("value".to_owned(), content);
                return Value::Object(fields);
            }
            Value::Object(
                fields
                    .into_iter()
                    .map(|(name, value)| (name, unpacked(value)))
                    .collect::<Map<_, _>>(),
            )
        }
        Value::Array(items) => items.into_iter().map(unpacked).collect(),
        other => other,
    }
}

fn debug_of<M: Message + Default + Debug>(bytes: &[u8]) -> Value {
    lines(&M::decode(bytes).expect("a message of the type that its URL says"))
}

/// A message as lines, without the fields that are not set, and with bytes in one line.
fn lines(message: &impl Debug) -> Value {
    let mut lines: Vec<String> = Vec::new();
    let mut bytes = Vec::new();
    for line in format!("{message:#?}").lines() {
        if let Some(byte) = line.trim().strip_suffix(',').and_then(|byte| byte.parse::<u8>().ok()) {
            bytes.push(byte);
            continue;
        }
        if !bytes.is_empty() {
            lines.push(shown(&std::mem::take(&mut bytes)));
        }
        let unset =
            [": None,", ": [],", ": {},", ": \"\","].iter().any(|unset| line.ends_with(unset));
        if !unset {
            lines.push(line.to_owned());
        }
    }
    json!(lines)
}

fn shown(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => format!("{text:?}"),
        _ => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// Its fields are a map, which has no order of its own.
fn access_log(bytes: &[u8]) -> Value {
    let log = StdoutAccessLog::decode(bytes).expect("an access log");
    let Some(stdout_access_log::AccessLogFormat::LogFormat(format)) = log.access_log_format else {
        panic!("a format")
    };
    let Some(Format::JsonFormat(fields)) = format.format else { panic!("a JSON format") };
    let fields: BTreeMap<_, _> = fields
        .fields
        .iter()
        .map(|(name, value)| (name, format!("{:?}", value.kind.as_ref().expect("a value"))))
        .collect();
    json!(fields)
}
