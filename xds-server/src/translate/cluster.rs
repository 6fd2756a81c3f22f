//! Clusters: one per upstream of a site.

use std::collections::HashMap;
use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::extensions::upstreams::http::v3::{
    HttpProtocolOptions, http_protocol_options as options,
};
use envoy_types::pb::google::protobuf::{Duration as ProtoDuration, UInt32Value};
use policy::desired::{DesiredUpstream, UpstreamProtocol};
use policy::id::{SiteId, UpstreamId};
use xds_api::pb::envoy::config::cluster::v3::{
    CircuitBreakers, Cluster, circuit_breakers::Thresholds, cluster,
};

use super::endpoints;
use super::error::TranslateError;
use super::protobuf::{ads, duration, pack_as, uint};
use crate::resource::{Named, ResourceType};

/// The most connections, waiting requests and requests in flight of one cluster in one Envoy, so
/// that one tenant's slow upstream does not use up the memory and the file descriptors of all.
const MAX_IN_FLIGHT: u32 = 1024;
/// The most retries in flight of one cluster: enough to ride over a restart of one endpoint under
/// load.
const MAX_RETRIES: u32 = 128;
/// The bytes that a connection buffers before it stops reading: Envoy's advice for the edge is 32
/// KiB; its default is 1 MiB.
const BUFFER_BYTES: u32 = 32 * 1024;
/// The longest time that a connection to an upstream may idle, in seconds. Many servers close
/// theirs after 5 s (Node.js); a request that meets the close may have been done, so it cannot be
/// sent again. Closing first avoids that.
const IDLE_S: i64 = 4;

/// The name of an upstream's cluster.
pub(super) fn name(site: SiteId, upstream: UpstreamId) -> String {
    format!("site/{site}/{upstream}")
}

/// The cluster of an upstream, and its endpoints. They always come by EDS: Envoy resolves no name
/// of a tenant.
pub(super) fn resources(
    site: SiteId,
    upstream: &DesiredUpstream,
) -> Result<Vec<Named>, TranslateError> {
    let timeouts = [
        ("connect_timeout_ms", upstream.connect_timeout_ms),
        ("request_timeout_ms", upstream.request_timeout_ms),
    ];
    if let Some((field, _)) = timeouts.into_iter().find(|(_, value)| *value == 0) {
        return Err(TranslateError::NoTimeout { upstream: upstream.id, field });
    }
    let name = name(site, upstream.id);
    let mut cluster = common(&name, upstream);
    let assignment = endpoints::assignment(&name, upstream.id, &upstream.endpoints)?;
    let eds = cluster::ClusterDiscoveryType::Type(cluster::DiscoveryType::Eds.into());
    cluster.cluster_discovery_type = Some(eds);
    cluster.eds_cluster_config =
        Some(cluster::EdsClusterConfig { eds_config: Some(ads()), service_name: String::new() });
    Ok(vec![
        Named::of(ResourceType::Cluster, name.clone(), &cluster),
        Named::of(ResourceType::Endpoints, name, &assignment),
    ])
}

fn common(name: &str, upstream: &DesiredUpstream) -> Cluster {
    let thresholds = Thresholds {
        max_connections: uint(MAX_IN_FLIGHT),
        max_pending_requests: uint(MAX_IN_FLIGHT),
        max_requests: uint(MAX_IN_FLIGHT),
        max_retries: uint(MAX_RETRIES),
        ..Default::default()
    };
    let http = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    Cluster {
        name: name.to_owned(),
        connect_timeout: duration(Duration::from_millis(upstream.connect_timeout_ms.into())),
        per_connection_buffer_limit_bytes: uint(BUFFER_BYTES),
        circuit_breakers: Some(CircuitBreakers {
            thresholds: vec![thresholds],
            ..Default::default()
        }),
        typed_extension_protocol_options: HashMap::from([(
            http.to_owned(),
            pack_as(http, &protocol(upstream.protocol)),
        )]),
        ..Default::default()
    }
}

fn protocol(protocol: UpstreamProtocol) -> HttpProtocolOptions {
    use options::explicit_http_config::ProtocolConfig;
    let protocol_config = match protocol {
        UpstreamProtocol::Http1 => {
            ProtocolConfig::HttpProtocolOptions(core::Http1ProtocolOptions::default())
        }
        UpstreamProtocol::Http2 => {
            ProtocolConfig::Http2ProtocolOptions(core::Http2ProtocolOptions {
                max_concurrent_streams: Some(UInt32Value { value: 100 }),
                initial_stream_window_size: Some(UInt32Value { value: 64 * 1024 }),
                initial_connection_window_size: Some(UInt32Value { value: 1024 * 1024 }),
                ..Default::default()
            })
        }
    };
    HttpProtocolOptions {
        common_http_protocol_options: Some(core::HttpProtocolOptions {
            idle_timeout: Some(ProtoDuration { seconds: IDLE_S, nanos: 0 }),
            ..Default::default()
        }),
        upstream_protocol_options: Some(options::UpstreamProtocolOptions::ExplicitHttpConfig(
            options::ExplicitHttpConfig { protocol_config: Some(protocol_config) },
        )),
        ..Default::default()
    }
}
