//! Messages of the types that this server sends, and of those packed in them.

use std::fmt::Debug;

use envoy_types::pb::envoy::extensions::access_loggers::filters::cel::v3::ExpressionFilter;
use envoy_types::pb::envoy::extensions::access_loggers::stream::v3::StdoutAccessLog;
use envoy_types::pb::envoy::extensions::filters::http::on_demand::v3::OnDemand;
use envoy_types::pb::envoy::extensions::filters::http::wasm::v3::Wasm;
use envoy_types::pb::envoy::extensions::http::early_header_mutation::header_mutation::v3::HeaderMutation;
use envoy_types::pb::envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
use policy::wire;
use prost::Message;
use serde::Serialize;
use serde_json::{Value, json};
use xds_api::pb::envoy::config::cluster::v3::Cluster;
use xds_api::pb::envoy::config::core::v3::TypedExtensionConfig;
use xds_api::pb::envoy::config::endpoint::v3::ClusterLoadAssignment;
use xds_api::pb::envoy::config::listener::v3::Listener;
use xds_api::pb::envoy::config::route::v3::{Route, RouteConfiguration, ScopedRouteConfiguration};
use xds_api::pb::envoy::extensions::filters::http::router::v3::Router;
use xds_api::pb::envoy::r#type::matcher::v3::HttpRequestHeaderMatchInput;

use super::fields;

/// A message as text. One of a type that is not known here, or that cannot be read, is shown by its
/// size.
pub(super) fn readable(type_url: &str, bytes: &[u8]) -> Value {
    let name = type_url.strip_prefix("type.googleapis.com/").unwrap_or(type_url);
    known(name, bytes).unwrap_or_else(|| json!({ "unreadable_bytes": bytes.len() }))
}

fn known(name: &str, bytes: &[u8]) -> Option<Value> {
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
            fields_of::<ExpressionFilter>(bytes)
        }
        "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog" => {
            fields_of::<StdoutAccessLog>(bytes)
        }
        "envoy.extensions.filters.http.on_demand.v3.OnDemand" => fields_of::<OnDemand>(bytes),
        "envoy.extensions.filters.http.wasm.v3.Wasm" => fields_of::<Wasm>(bytes),
        "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation" => {
            fields_of::<HeaderMutation>(bytes)
        }
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions" => {
            fields_of::<HttpProtocolOptions>(bytes)
        }
        "tenantry.filter.v1.Host" => fields_of::<wire::Host>(bytes),
        "tenantry.filter.v1.ConsumerBucket" => fields_of::<wire::ConsumerBucket>(bytes),
        "tenantry.filter.v1.KeyBucket" => {
            Some(json!({ "records_bytes": wire::KeyBucket::decode(bytes).ok()?.records.len() }))
        }
        "tenantry.filter.v1.SitePolicy" => fields_of::<wire::SitePolicy>(bytes),
        "tenantry.filter.v1.Sync" => fields_of::<wire::Sync>(bytes),
        _ => None,
    }
}

fn json_of<M: Message + Default + Serialize>(bytes: &[u8]) -> Option<Value> {
    Some(unpacked(serde_json::to_value(M::decode(bytes).ok()?).ok()?))
}

fn fields_of<M: Message + Default + Debug>(bytes: &[u8]) -> Option<Value> {
    let text = format!("{:?}", M::decode(bytes).ok()?);
    Some(fields::parse(&text).unwrap_or(Value::String(text)))
}

/// Messages that are packed in others, and that `xds-api` leaves as bytes, shown as what they are.
fn unpacked(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            if let (Some(Value::String(type_url)), Some(Value::Array(bytes))) =
                (fields.get("@type"), fields.get("value"))
            {
                let bytes: Vec<u8> =
                    bytes.iter().filter_map(|byte| u8::try_from(byte.as_u64()?).ok()).collect();
                return json!({ "@type": type_url, "value": readable(type_url, &bytes) });
            }
            Value::Object(fields.into_iter().map(|(name, value)| (name, unpacked(value))).collect())
        }
        Value::Array(items) => items.into_iter().map(unpacked).collect(),
        other => other,
    }
}
