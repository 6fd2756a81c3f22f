//! The Listeners of an Envoy: a shared one, and those of tenants that have their own; each one
//! address, one HTTP connection manager.

use std::net::IpAddr;
use std::time::Duration;

use envoy_types::pb::envoy::extensions::filters::listener::tls_inspector::v3::TlsInspector;
use envoy_types::pb::envoy::extensions::filters::network::connection_limit::v3::ConnectionLimit;
use envoy_types::pb::google::protobuf::UInt64Value;
use policy::desired::TenantListener;
use policy::id::TenantId;
use xds_api::pb::envoy::config::core::v3::TrafficDirection;
use xds_api::pb::envoy::config::listener::v3::{
    Filter, FilterChain, Listener, ListenerFilter, filter, listener_filter,
};

use super::protobuf::{duration, pack, pack_as, uint};
use super::{endpoints, http_manager};
use crate::node::EdgeSettings;
use crate::resource::{Named, Resource, ResourceType};

/// The name of the listener for plain HTTP.
pub const LISTENER_NAME: &str = "edge/http";

/// The prefix of the names of tenants' own listeners: `tenant/<tenant>/<port>`.
const TENANT_PREFIX: &str = "tenant/";

/// The bytes of a request that may lie in this Envoy: a signed body is held until its digest is
/// checked. One byte more than the filter allows reaches it, so that the filter refuses it.
const BUFFER_BYTES: u32 = policy::settings::MAX_BODY_BYTES + 4096;

/// The time within which a client has to send the first bytes of a request on a new connection. One
/// that sends nothing would stay until it is idle for too long, at no cost for its client.
const FIRST_BYTES: Duration = Duration::from_secs(10);
/// The connections that a worker takes at a time, before it goes on with those that it has: a
/// storm of new ones must not hold up requests.
const ACCEPTED_AT_A_TIME: u32 = 16;
/// The most connections at a tenant's own listener: a fifth of what the bootstrap lets an Envoy
/// have, for nobody but this tenant's clients comes by it.
const TENANT_CONNECTIONS: u64 = 10_000;
/// The time for which a connection that is too much is held, so that its client does not come back
/// at once.
const TOO_MANY_DELAY_MS: i32 = 500;

/// The listener for plain HTTP of an Envoy with these settings.
pub fn listener(edge: &EdgeSettings) -> Named {
    http(edge, LISTENER_NAME, edge.http_address, edge.http_port, None)
}

/// A listener of a tenant's own as the snapshot has it, the same for every Envoy. Each Envoy gets
/// the one that [`tenant_listener`] makes of it.
pub fn wanted_listener(tenant: TenantId, listener: &TenantListener) -> Named {
    let kind = ResourceType::Listener;
    let address = listener.address.map(|address| address.to_string()).unwrap_or_default();
    let name = format!("{TENANT_PREFIX}{tenant}/{}", listener.port);
    Named { kind, name, resource: Resource::new(kind, address.into_bytes()) }
}

/// A listener of a tenant's own in an Envoy with these settings, by its name and its form from
/// [`wanted_listener`]. `None` for any other name; and if the port is that of the shared listener,
/// which all other tenants need.
pub fn tenant_listener(edge: &EdgeSettings, name: &str, wanted: &Resource) -> Option<Named> {
    let (tenant, port) = name.strip_prefix(TENANT_PREFIX)?.split_once('/')?;
    let (tenant, port) = (tenant.parse().ok()?, port.parse().ok()?);
    let address = match wanted.body.value.as_slice() {
        [] => edge.http_address,
        text => std::str::from_utf8(text).ok()?.parse().ok()?,
    };
    (port != edge.http_port).then(|| http(edge, name, address, port, Some(tenant)))
}

fn http(
    edge: &EdgeSettings,
    name: &str,
    address: IpAddr,
    port: u16,
    tenant: Option<TenantId>,
) -> Named {
    let manager = Filter {
        name: "http".to_owned(),
        config_type: Some(filter::ConfigType::TypedConfig(pack(&http_manager::config(
            edge, tenant,
        )))),
    };
    let limit = tenant.map(|_| Filter {
        name: "connections".to_owned(),
        config_type: Some(filter::ConfigType::TypedConfig(pack_as(
            "envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit",
            &connection_limit(),
        ))),
    });
    let inspector = ListenerFilter {
        name: "first_bytes".to_owned(),
        config_type: Some(listener_filter::ConfigType::TypedConfig(pack_as(
            "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
            &TlsInspector::default(),
        ))),
        ..Default::default()
    };
    let filters = limit.into_iter().chain([manager]).collect();
    let listener = Listener {
        name: name.to_owned(),
        address: Some(endpoints::socket(&address.to_string(), port)),
        // It waits for the first bytes, and so bounds the wait. The inspector of HTTP would wait
        // for the whole first line, and end a connection whose line is too long without an answer.
        listener_filters: vec![inspector],
        listener_filters_timeout: duration(FIRST_BYTES),
        continue_on_listener_filters_timeout: false,
        max_connections_to_accept_per_socket_event: uint(ACCEPTED_AT_A_TIME),
        filter_chains: vec![FilterChain { filters, ..Default::default() }],
        per_connection_buffer_limit_bytes: uint(BUFFER_BYTES),
        traffic_direction: TrafficDirection::Inbound.into(),
        ..Default::default()
    };
    Named::of(ResourceType::Listener, name, &listener)
}

fn connection_limit() -> ConnectionLimit {
    ConnectionLimit {
        // One for all tenants, so that their number does not make statistics.
        stat_prefix: "tenant_listeners".to_owned(),
        max_connections: Some(UInt64Value { value: TENANT_CONNECTIONS }),
        delay: Some(envoy_types::pb::google::protobuf::Duration {
            seconds: 0,
            nanos: TOO_MANY_DELAY_MS * 1_000_000,
        }),
        runtime_enabled: None,
    }
}
