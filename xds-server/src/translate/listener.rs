//! The Listener of an Envoy: one address, one HTTP connection manager.

use xds_api::pb::envoy::config::core::v3::TrafficDirection;
use xds_api::pb::envoy::config::listener::v3::{Filter, FilterChain, Listener, filter};

use super::protobuf::{pack, uint};
use super::{Named, ResourceType, endpoints, http_manager};
use crate::node::EdgeSettings;

/// The name of the listener for plain HTTP.
pub const LISTENER_NAME: &str = "edge/http";

/// How many bytes of a request may lie in this Envoy: a signed body is held until its digest is checked. One byte more than the
/// filter allows reaches it, so that it is the filter that says so.
const BUFFER_BYTES: u32 = policy::settings::MAX_BODY_BYTES + 4096;

/// The listener for plain HTTP of an Envoy with these settings.
pub fn listener(edge: &EdgeSettings) -> Named {
    let manager = Filter {
        name: "http".to_owned(),
        config_type: Some(filter::ConfigType::TypedConfig(pack(&http_manager::config(edge)))),
    };
    let listener = Listener {
        name: LISTENER_NAME.to_owned(),
        address: Some(endpoints::socket(&edge.http_address.to_string(), edge.http_port)),
        filter_chains: vec![FilterChain { filters: vec![manager], ..Default::default() }],
        per_connection_buffer_limit_bytes: uint(BUFFER_BYTES),
        traffic_direction: TrafficDirection::Inbound.into(),
        ..Default::default()
    };
    Named::of(ResourceType::Listener, LISTENER_NAME, &listener)
}
