//! Messages with `map` fields, encoded in the order of their keys.
//!
//! The generated types hold maps in a `HashMap`, whose order changes from run to run, and with it
//! the bytes and the content hash. These mirrors have the same field numbers as the originals, with
//! only the fields that are used here.

use std::collections::BTreeMap;

use xds_api::pb::envoy::config::core::v3::{HeaderValueOption, TypedExtensionConfig};

/// `envoy.config.route.v3.RouteConfiguration`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RouteConfiguration {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(message, repeated, tag = "2")]
    pub(crate) virtual_hosts: Vec<VirtualHost>,
}

/// `envoy.config.route.v3.VirtualHost`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct VirtualHost {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, repeated, tag = "2")]
    pub(crate) domains: Vec<String>,
    #[prost(message, repeated, tag = "7")]
    pub(crate) request_headers_to_add: Vec<HeaderValueOption>,
    #[prost(string, repeated, tag = "13")]
    pub(crate) request_headers_to_remove: Vec<String>,
    #[prost(message, optional, tag = "21")]
    pub(crate) matcher: Option<Matcher>,
}

/// `xds.type.matcher.v3.Matcher`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Matcher {
    #[prost(message, optional, tag = "2")]
    pub(crate) matcher_tree: Option<MatcherTree>,
    #[prost(message, optional, tag = "3")]
    pub(crate) on_no_match: Option<OnMatch>,
}

/// `xds.type.matcher.v3.Matcher.MatcherTree`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct MatcherTree {
    #[prost(message, optional, tag = "1")]
    pub(crate) input: Option<TypedExtensionConfig>,
    #[prost(message, optional, tag = "2")]
    pub(crate) exact_match_map: Option<MatchMap>,
}

/// `xds.type.matcher.v3.Matcher.MatcherTree.MatchMap`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct MatchMap {
    #[prost(btree_map = "string, message", tag = "1")]
    pub(crate) map: BTreeMap<String, OnMatch>,
}

/// `xds.type.matcher.v3.Matcher.OnMatch`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct OnMatch {
    #[prost(message, optional, tag = "2")]
    pub(crate) action: Option<TypedExtensionConfig>,
}

/// `envoy.extensions.access_loggers.stream.v3.StdoutAccessLog`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct StdoutAccessLog {
    #[prost(message, optional, tag = "1")]
    pub(crate) log_format: Option<JsonLogFormat>,
}

/// `envoy.config.core.v3.SubstitutionFormatString` with a JSON format.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct JsonLogFormat {
    #[prost(message, optional, tag = "2")]
    pub(crate) json_format: Option<Struct>,
    #[prost(bool, tag = "3")]
    pub(crate) omit_empty_values: bool,
    #[prost(message, repeated, tag = "6")]
    pub(crate) formatters: Vec<TypedExtensionConfig>,
}

/// `google.protobuf.Struct`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Struct {
    #[prost(btree_map = "string, message", tag = "1")]
    pub(crate) fields: BTreeMap<String, Text>,
}

/// A `google.protobuf.Value` that is a string.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Text {
    #[prost(string, tag = "3")]
    pub(crate) string_value: String,
}
