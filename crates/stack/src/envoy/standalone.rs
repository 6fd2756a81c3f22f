//! From the operators' example of an Envoy with routes of their own to one on this machine.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::EnvoySettings;
use super::bootstrap::{address, replace};

/// The address of a cluster's only endpoint.
macro_rules! endpoint_of {
    ($cluster:literal) => {
        concat!(
            "/static_resources/clusters/",
            $cluster,
            "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address"
        )
    };
}

/// The filter in the listener's filter chain.
const FILTER_MODULE: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters/0\
                             /typed_config/config/vm_config/code/local/filename";

/// Its own upstream is at `upstream`.
pub(super) fn adapt(yaml: &str, settings: &EnvoySettings, upstream: SocketAddr) -> Result<Value> {
    let mut config: Value = serde_saphyr::from_str(yaml).context("it is not YAML")?;
    let wasm = settings.wasm.to_str().context("the path of the module is not UTF-8")?;
    let changes = [
        ("/node/id", json!(settings.node_id)),
        ("/admin/address/socket_address", address(settings.admin, "port_value")),
        (
            "/static_resources/listeners/0/address/socket_address",
            address(settings.gateway, "port_value"),
        ),
        (FILTER_MODULE, json!(wasm)),
        (endpoint_of!("0"), address(upstream, "port_value")),
        (endpoint_of!("1"), address(settings.xds, "port_value")),
        ("/bootstrap_extensions/0/typed_config/config/vm_config/code/local/filename", json!(wasm)),
    ];
    replace(&mut config, changes)?;
    Ok(config)
}
