//! The Listeners of an Envoy: a shared one, and those of tenants that have their own; each one
//! address, one HTTP connection manager.

use std::net::IpAddr;

use policy::desired::TenantListener;
use policy::id::TenantId;
use xds_api::pb::envoy::config::core::v3::TrafficDirection;
use xds_api::pb::envoy::config::listener::v3::{Filter, FilterChain, Listener, filter};

use super::protobuf::{pack, uint};
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
    let listener = Listener {
        name: name.to_owned(),
        address: Some(endpoints::socket(&address.to_string(), port)),
        filter_chains: vec![FilterChain { filters: vec![manager], ..Default::default() }],
        per_connection_buffer_limit_bytes: uint(BUFFER_BYTES),
        traffic_direction: TrafficDirection::Inbound.into(),
        ..Default::default()
    };
    Named::of(ResourceType::Listener, name, &listener)
}
