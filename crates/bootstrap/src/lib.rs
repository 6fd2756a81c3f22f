//! The bootstrap of an Envoy: `envoy/bootstrap.yaml`, with what it marks as `ADAPT` set.
//!
//! There is one template. `tenantry-xds bootstrap` prints it for operators, and `cargo xtask up`
//! and the tests start their Envoys from it, by this one function.

#![cfg_attr(not(test), deny(clippy::unwrap_used))]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use thiserror::Error;

/// The template, as it is published.
pub const TEMPLATE: &str = include_str!("../../../envoy/bootstrap.yaml");

/// The facts by which one Envoy differs from another.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its own name.
    pub node_id: String,
    /// Its cell.
    pub cell: String,
    /// The address to which API clients connect; xds-server reads it from the node's metadata.
    pub gateway: SocketAddr,
    /// The number of proxies in front of it that are trusted to have appended to `X-Forwarded-For`.
    pub trusted_hops: u32,
    /// From how many requests in one worker on tenants are held to their share; `None` for the
    /// filter's default.
    pub shed_above: Option<u32>,
    /// Envoy's own admin interface.
    pub admin: SocketAddr,
    /// The replicas of xds-server, by host name or address, and port, in the order in which this
    /// Envoy goes to them.
    pub xds: Vec<(String, u16)>,
    /// Absolute path of `tenantry_filter.wasm`.
    pub module: PathBuf,
    /// The certificate by which it shows xds-server its identity; `None` connects in clear.
    pub tls: Option<ClientTls>,
    /// The heap at which it begins to shed, in bytes; `None` for the one of the template.
    pub max_heap_bytes: Option<u64>,
}

/// The files with which an Envoy connects by mutual TLS.
#[derive(Debug, Clone)]
pub struct ClientTls {
    /// Its certificate, with the chain to its authority, in PEM.
    pub certificate: PathBuf,
    /// The private key of that.
    pub key: PathBuf,
    /// The authority of xds-server.
    pub authority: PathBuf,
    /// The DNS name in the certificate of xds-server.
    pub server_name: String,
}

/// Why there is no bootstrap.
#[derive(Debug, Error)]
pub enum BootstrapError {
    /// The template is no YAML.
    #[error("the template is not YAML")]
    Template(#[from] serde_saphyr::Error),
    /// The template lacks a part that has to be set.
    #[error("{pointer} is missing in the template")]
    Missing {
        /// The field, as a JSON pointer.
        pointer: &'static str,
    },
    /// The path of a file is not text.
    #[error("the path {0:?} is not UTF-8")]
    Path(PathBuf),
}

const MODULE: &str = "/bootstrap_extensions/0/typed_config/config/vm_config/code/local/filename";
const MAX_HEAP: &str = "/overload_manager/resource_monitors/0/typed_config/max_heap_size_bytes";

/// The bootstrap of this Envoy.
pub fn bootstrap(settings: &Settings) -> Result<Value, BootstrapError> {
    adapt(TEMPLATE, settings)
}

fn adapt(template: &str, settings: &Settings) -> Result<Value, BootstrapError> {
    let mut config: Value = serde_saphyr::from_str(template)?;
    let module = text(&settings.module)?;
    let mut http = address(settings.gateway, "port");
    http["trusted_hops"] = json!(settings.trusted_hops);
    let mut filter = json!({ "path": module });
    if let Some(above) = settings.shed_above {
        filter["shed_above"] = json!(above);
    }
    let changes = [
        ("/node/id", json!(settings.node_id)),
        ("/node/cluster", json!(settings.cell)),
        ("/node/metadata/tenantry/http", http),
        ("/node/metadata/tenantry/filter", filter),
        ("/admin/address/socket_address", address(settings.admin, "port_value")),
        ("/static_resources/clusters/0/load_assignment/endpoints", replicas(&settings.xds)),
        (MODULE, json!(module)),
    ];
    let heap = settings.max_heap_bytes.map(|bytes| (MAX_HEAP, json!(bytes)));
    for (pointer, value) in changes.into_iter().chain(heap) {
        *config.pointer_mut(pointer).ok_or(BootstrapError::Missing { pointer })? = value;
    }
    if let Some(tls) = &settings.tls {
        let pointer = "/static_resources/clusters/0";
        let cluster = config.pointer_mut(pointer).ok_or(BootstrapError::Missing { pointer })?;
        cluster["transport_socket"] = transport_socket(tls)?;
    }
    Ok(config)
}

/// An address and a port, as Envoy writes them.
pub fn address(addr: SocketAddr, port: &str) -> Value {
    json!({ "address": addr.ip().to_string(), port: addr.port() })
}

/// Each replica has a priority of its own.
fn replicas(xds: &[(String, u16)]) -> Value {
    let endpoint = |(priority, (host, port)): (usize, &(String, u16))| {
        let address = json!({ "socket_address": { "address": host, "port_value": port } });
        json!({ "priority": priority, "lb_endpoints": [{ "endpoint": { "address": address } }] })
    };
    xds.iter().enumerate().map(endpoint).collect()
}

/// Returns the transport socket that the template has as a comment, with these files.
fn transport_socket(tls: &ClientTls) -> Result<Value, BootstrapError> {
    let file = |path: &Path| Ok::<_, BootstrapError>(json!({ "filename": text(path)? }));
    Ok(json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": concat!(
                "type.googleapis.com/",
                "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
            ),
            "sni": tls.server_name,
            "common_tls_context": {
                "tls_params": {
                    "tls_minimum_protocol_version": "TLSv1_3",
                    "tls_maximum_protocol_version": "TLSv1_3",
                },
                "tls_certificates": [{
                    "certificate_chain": file(&tls.certificate)?,
                    "private_key": file(&tls.key)?,
                }],
                "validation_context": {
                    "trusted_ca": file(&tls.authority)?,
                    "match_typed_subject_alt_names": [
                        { "san_type": "DNS", "matcher": { "exact": tls.server_name } },
                    ],
                },
            },
        },
    }))
}

fn text(path: &Path) -> Result<&str, BootstrapError> {
    path.to_str().ok_or_else(|| BootstrapError::Path(path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            node_id: "edge-7".to_owned(),
            cell: "blue".to_owned(),
            gateway: SocketAddr::from(([127, 0, 0, 1], 1)),
            trusted_hops: 2,
            shed_above: Some(9),
            admin: SocketAddr::from(([127, 0, 0, 1], 2)),
            xds: vec![("xds-a".to_owned(), 3), ("127.0.0.1".to_owned(), 4)],
            module: PathBuf::from("/somewhere/filter.wasm"),
            tls: None,
            max_heap_bytes: Some(77),
        }
    }

    #[test]
    fn every_address_and_path_of_the_template_is_replaced() {
        let text = bootstrap(&settings()).unwrap().to_string();
        let of_template = [
            "/etc/tenantry",
            "0.0.0.0",
            "10080",
            "10091",
            "10092",
            "edge-1",
            "default\"",
            "2147483648",
        ];
        for left_over in of_template {
            assert!(
                !text.contains(left_over),
                "{left_over} is still in the bootstrap: set it in adapt()"
            );
        }
        assert_eq!(text.matches("/somewhere/filter.wasm").count(), 2);
    }

    #[test]
    fn an_envoy_goes_to_the_replicas_in_their_order() {
        let config = bootstrap(&settings()).unwrap();
        let endpoints = &config["static_resources"]["clusters"][0]["load_assignment"]["endpoints"];
        let places = endpoints.as_array().unwrap().iter().map(|replica| {
            let address = &replica["lb_endpoints"][0]["endpoint"]["address"]["socket_address"];
            (
                replica["priority"].as_u64(),
                address["address"].as_str(),
                address["port_value"].as_u64(),
            )
        });
        let places: Vec<_> = places.collect();
        assert_eq!(
            places,
            [(Some(0), Some("xds-a"), Some(3)), (Some(1), Some("127.0.0.1"), Some(4))]
        );
    }

    #[test]
    fn tls_names_all_its_files() {
        let [certificate, key, authority] = ["/c.pem", "/k.pem", "/a.pem"].map(PathBuf::from);
        let tls = ClientTls { certificate, key, authority, server_name: "xds.internal".to_owned() };
        let config = bootstrap(&Settings { tls: Some(tls), ..settings() }).unwrap();
        let socket = config["static_resources"]["clusters"][0]["transport_socket"].to_string();
        for part in ["/c.pem", "/k.pem", "/a.pem", "xds.internal"] {
            assert!(socket.contains(part), "{part} is not in {socket}");
        }
    }

    #[test]
    fn a_template_without_a_part_that_has_to_be_set_is_refused_by_its_name() {
        let error = adapt("node: { id: a, cluster: b }", &settings()).unwrap_err();
        assert_eq!(error.to_string(), "/node/metadata/tenantry/http is missing in the template");
    }
}
