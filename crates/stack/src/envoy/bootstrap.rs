//! The bootstrap of one Envoy on this machine: the one that operators get, with this machine's
//! addresses.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
pub use envoy_bootstrap::ClientTls;
use envoy_bootstrap::Settings;
pub(super) use envoy_bootstrap::address;
use serde_json::{Value, json};

/// The cell that is there from the beginning.
const DEFAULT_CELL: &str = "default";

#[derive(Debug, Clone)]
pub struct EnvoySettings {
    pub node_id: String,
    /// The address for API clients; xds-server reads it from the node's metadata.
    pub gateway: SocketAddr,
    /// Envoy's own admin interface.
    pub admin: SocketAddr,
    /// The gRPC listener of xds-server.
    pub xds: SocketAddr,
    /// Those of its other replicas, in the order in which this Envoy goes to them.
    pub xds_replicas: Vec<SocketAddr>,
    /// Absolute path of `tenantry_filter.wasm`.
    pub wasm: PathBuf,
    /// Worker threads.
    pub concurrency: u32,
    /// True if the mirror runs; without it the filter never hears of anything.
    pub mirror: bool,
    /// The metadata for its listener and filter.
    pub edge: Edge,
}

/// The wishes of an Envoy in its node's metadata, besides its address and the module's path.
#[derive(Debug, Clone, Default)]
pub struct Edge {
    /// Number of trusted proxies in front of it that have appended to `X-Forwarded-For`.
    pub trusted_hops: u32,
    /// From how many requests in one worker on tenants are held to their share; `None` for the
    /// filter's default.
    pub shed_above: Option<u32>,
    /// Its cell, `node.cluster`; `None` for the one in the bootstrap, `default`.
    pub cell: Option<String>,
    /// The certificate that it shows to xds-server; `None` connects in clear.
    pub tls: Option<ClientTls>,
}

/// The bootstrap that operators get, for this Envoy.
pub(super) fn of(settings: &EnvoySettings) -> Result<Value> {
    let edge = settings.edge.clone();
    let replicas = std::iter::once(&settings.xds).chain(&settings.xds_replicas);
    let mut config = envoy_bootstrap::bootstrap(&Settings {
        node_id: settings.node_id.clone(),
        cell: edge.cell.unwrap_or_else(|| DEFAULT_CELL.to_owned()),
        gateway: settings.gateway,
        trusted_hops: edge.trusted_hops,
        shed_above: edge.shed_above,
        admin: settings.admin,
        xds: replicas.map(|addr| (addr.ip().to_string(), addr.port())).collect(),
        module: settings.wasm.clone(),
        tls: edge.tls,
        max_heap_bytes: None,
    })?;
    if !settings.mirror {
        config["bootstrap_extensions"] = json!([]);
    }
    Ok(config)
}

/// Replaces what is there by JSON pointer.
pub(super) fn replace<const N: usize>(
    config: &mut Value,
    changes: [(&str, Value); N],
) -> Result<()> {
    for (pointer, value) in changes {
        *config.pointer_mut(pointer).with_context(|| format!("{pointer} is missing"))? = value;
    }
    Ok(())
}
