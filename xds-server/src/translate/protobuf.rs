//! Short forms for protobuf's wrappers, and packing of messages that `xds-api` lacks.

use std::time::Duration;

use xds_api::pb::envoy::config::core::v3::{
    AggregatedConfigSource, ApiVersion, ConfigSource, DataSource, TypedExtensionConfig,
    config_source, data_source,
};
use xds_api::pb::google::protobuf::{self, Any, BoolValue, UInt32Value};

/// Packs a message of `xds-api`, which knows its own type URL.
pub(crate) fn pack<M: prost::Message + prost::Name>(message: &M) -> Any {
    Any { type_url: M::type_url(), value: message.encode_to_vec() }
}

/// Packs a message that does not know its own name.
pub(crate) fn pack_as(name: &str, message: &impl prost::Message) -> Any {
    Any { type_url: format!("type.googleapis.com/{name}"), value: message.encode_to_vec() }
}

/// An extension of Envoy with its configuration.
pub(crate) fn extension(name: &str, config: Any) -> TypedExtensionConfig {
    TypedExtensionConfig { name: name.to_owned(), typed_config: Some(config) }
}

pub(crate) fn uint(value: u32) -> Option<UInt32Value> {
    Some(UInt32Value { value })
}

pub(crate) fn boolean(value: bool) -> Option<BoolValue> {
    Some(BoolValue { value })
}

/// A duration of less than 2^63 seconds, which all of ours are.
pub(crate) fn duration(value: Duration) -> Option<protobuf::Duration> {
    value.try_into().ok()
}

pub(crate) fn inline_text(text: &str) -> DataSource {
    DataSource {
        specifier: Some(data_source::Specifier::InlineString(text.to_owned())),
        watched_directory: None,
    }
}

/// Over the same aggregated stream as everything else, so that resources that depend on each other
/// are ordered.
pub(crate) fn ads() -> ConfigSource {
    ConfigSource {
        resource_api_version: ApiVersion::V3.into(),
        config_source_specifier: Some(config_source::ConfigSourceSpecifier::Ads(
            AggregatedConfigSource {},
        )),
        ..Default::default()
    }
}
