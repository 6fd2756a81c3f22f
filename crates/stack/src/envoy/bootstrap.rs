//! From the operators' bootstrap to that of one Envoy on this machine: parse, set what `ADAPT` marks, write as JSON.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Value, json};

#[derive(Debug, Clone)]
pub struct EnvoySettings {
    pub node_id: String,
    /// Where API clients connect; xds-server reads it from the node's metadata.
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
    /// Whether the mirror runs; without it the filter never hears of anything.
    pub mirror: bool,
    /// What xds-server is to make of its listener and filter.
    pub edge: Edge,
}

/// What an Envoy asks of xds-server in its node's metadata, besides its address and the module's path.
#[derive(Debug, Clone, Default)]
pub struct Edge {
    /// How many proxies in front of it are trusted to have appended to `X-Forwarded-For`.
    pub trusted_hops: u32,
    /// From how many requests in one worker on tenants are held to their share; `None` for the filter's default.
    pub shed_above: Option<u32>,
    /// Its cell, `node.cluster`; `None` for the one in the bootstrap, `default`.
    pub cell: Option<String>,
    /// How it shows xds-server who it is; `None` connects in clear.
    pub tls: Option<ClientTls>,
}

/// The files with which an Envoy connects by mutual TLS.
#[derive(Debug, Clone)]
pub struct ClientTls {
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// The authority of xds-server.
    pub authority: PathBuf,
    /// The DNS name in the certificate of xds-server.
    pub server_name: String,
}

pub(super) fn adapt(yaml: &str, settings: &EnvoySettings) -> Result<Value> {
    let mut config: Value = serde_saphyr::from_str(yaml).context("it is not YAML")?;
    let wasm = settings.wasm.to_str().context("the path of the module is not UTF-8")?;
    let mut http = address(settings.gateway, "port");
    http["trusted_hops"] = json!(settings.edge.trusted_hops);
    let mut filter = json!({ "path": wasm });
    if let Some(above) = settings.edge.shed_above {
        filter["shed_above"] = json!(above);
    }
    let changes = [
        ("/node/id", json!(settings.node_id)),
        ("/node/metadata/tenantry/http", http),
        ("/node/metadata/tenantry/filter", filter),
        ("/admin/address/socket_address", address(settings.admin, "port_value")),
        ("/static_resources/clusters/0/load_assignment/endpoints", replicas(settings)),
        ("/bootstrap_extensions/0/typed_config/config/vm_config/code/local/filename", json!(wasm)),
    ];
    replace(&mut config, changes)?;
    if let Some(cell) = &settings.edge.cell {
        replace(&mut config, [("/node/cluster", json!(cell))])?;
    }
    if let Some(tls) = &settings.edge.tls {
        config["static_resources"]["clusters"][0]["transport_socket"] = transport_socket(tls);
    }
    if !settings.mirror {
        config["bootstrap_extensions"] = json!([]);
    }
    Ok(config)
}

/// Each replica has a priority of its own.
fn replicas(settings: &EnvoySettings) -> Value {
    let all = std::iter::once(&settings.xds).chain(&settings.xds_replicas).enumerate();
    let endpoint =
        |addr: &SocketAddr| json!({ "endpoint": { "address": { "socket_address": address(*addr, "port_value") } } });
    all.map(|(priority, addr)| json!({ "priority": priority, "lb_endpoints": [endpoint(addr)] })).collect()
}

/// What the bootstrap has as a comment, with these files.
fn transport_socket(tls: &ClientTls) -> Value {
    let file = |path: &PathBuf| json!({ "filename": path });
    json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "sni": tls.server_name,
            "common_tls_context": {
                "tls_params": { "tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3" },
                "tls_certificates": [{ "certificate_chain": file(&tls.certificate), "private_key": file(&tls.key) }],
                "validation_context": {
                    "trusted_ca": file(&tls.authority),
                    "match_typed_subject_alt_names": [{ "san_type": "DNS", "matcher": { "exact": tls.server_name } }],
                },
            },
        },
    })
}

/// Replaces what is there by JSON pointer.
pub(super) fn replace<const N: usize>(config: &mut Value, changes: [(&str, Value); N]) -> Result<()> {
    for (pointer, value) in changes {
        *config.pointer_mut(pointer).with_context(|| format!("{pointer} is missing"))? = value;
    }
    Ok(())
}

pub(super) fn address(addr: SocketAddr, port: &str) -> Value {
    json!({ "address": addr.ip().to_string(), port: addr.port() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::loopback;

    fn settings() -> EnvoySettings {
        EnvoySettings {
            node_id: "edge-7".to_owned(),
            gateway: loopback(1),
            admin: loopback(2),
            xds: loopback(3),
            xds_replicas: vec![loopback(4)],
            wasm: PathBuf::from("/somewhere/filter.wasm"),
            concurrency: 2,
            mirror: true,
            edge: Edge::default(),
        }
    }

    #[test]
    fn every_address_and_path_of_the_published_bootstrap_is_replaced() {
        let yaml = include_str!("../../../../envoy/bootstrap.yaml");
        let text = adapt(yaml, &settings()).unwrap().to_string();
        for left_over in ["/etc/tenantry", "0.0.0.0", "10080", "10091", "10092", "edge-1"] {
            assert!(!text.contains(left_over), "{left_over} is still in the adapted bootstrap: set it in adapt()");
        }
        assert_eq!(text.matches("/somewhere/filter.wasm").count(), 2);
        let priorities = |part: &str| text.matches(&format!("\"priority\":{part}")).count();
        assert_eq!((priorities("0"), priorities("1")), (1, 1));
    }

    #[test]
    fn a_bootstrap_without_a_part_that_has_to_be_set_is_refused_by_its_name() {
        let error = adapt("node: { id: a }", &settings()).unwrap_err();
        assert_eq!(error.to_string(), "/node/metadata/tenantry/http is missing");
    }
}
