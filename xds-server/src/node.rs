//! The first request of an Envoy: its Node, and what this server takes from it.

use std::net::IpAddr;

use policy::mirror::USER_AGENT;
use store::envoy::StreamKind;
use thiserror::Error;
use xds_api::pb::envoy::config::core::v3::{Node, node::UserAgentVersionType};
use xds_api::pb::google::protobuf::{Struct, value::Kind};

/// More proxies than any request passes; a larger number is a mistake, with which clients could
/// choose their address.
const MAX_TRUSTED_HOPS: u32 = 16;
/// More requests than a worker has memory for; at 50 KB each they are 50 GB.
const MAX_SHED_ABOVE: u32 = 1_000_000;

/// One client of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// `node.id`: one Envoy process.
    pub id: String,
    /// `node.cluster`: the cell.
    pub cell: String,
    /// The kind of client: Envoy itself, or the filter in it.
    pub kind: StreamKind,
    /// The version that it says it has; empty if it says none.
    pub version: String,
    /// The settings of its listener.
    pub edge: EdgeSettings,
}

/// Settings of one Envoy, from `node.metadata.tenantry`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeSettings {
    /// `http.address`: where API clients connect. Default: 0.0.0.0.
    pub http_address: IpAddr,
    /// `http.port`. Default: 10080.
    pub http_port: u16,
    /// `http.trusted_hops`: the number of proxies in front of this Envoy that are trusted to have
    /// appended to `X-Forwarded-For`, as in Envoy's `xff_num_trusted_hops`. Default: 0, the peer is
    /// the client.
    pub trusted_hops: u32,
    /// `filter.path`: the wasm module in the Envoy's file system. Default:
    /// /etc/tenantry/tenantry_filter.wasm.
    pub filter_path: String,
    /// `filter.shed_above`: the number of requests under way in one worker from which on the filter
    /// holds tenants to their share of it, from 1 to a million. Default: the filter's own.
    pub shed_above: Option<u32>,
}

impl Default for EdgeSettings {
    fn default() -> Self {
        Self {
            http_address: IpAddr::from([0, 0, 0, 0]),
            http_port: 10080,
            trusted_hops: 0,
            filter_path: "/etc/tenantry/tenantry_filter.wasm".to_owned(),
            shed_above: None,
        }
    }
}

/// A setting in the Node metadata that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "node.metadata.tenantry.{field} has to be {expected}; correct it in the bootstrap of node \
     `{node}`"
)]
pub struct NodeError {
    /// The node's id.
    pub node: String,
    /// The setting.
    pub field: &'static str,
    /// The form that it should have.
    pub expected: &'static str,
}

impl Client {
    /// Reads a Node. Absent settings have their defaults; a setting that is there has to be right.
    pub fn read(node: &Node) -> Result<Self, NodeError> {
        let error = |field, expected| NodeError { node: node.id.clone(), field, expected };
        let mut edge = EdgeSettings::default();
        let tenantry = node.metadata.as_ref().and_then(|metadata| object(metadata, "tenantry"));
        let http = tenantry.and_then(|tenantry| object(tenantry, "http"));
        if let Some(address) = http.and_then(|http| field(http, "address")) {
            let text = if let Kind::StringValue(text) = address { text.parse().ok() } else { None };
            edge.http_address = text.ok_or_else(|| error("http.address", "an IP address"))?;
        }
        if let Some(port) = http.and_then(|http| field(http, "port")) {
            edge.http_port = number_of(port)
                .filter(|port| *port != 0)
                .ok_or_else(|| error("http.port", "a number from 1 to 65535"))?;
        }
        if let Some(hops) = http.and_then(|http| field(http, "trusted_hops")) {
            let known = number_of(hops).filter(|hops| *hops <= MAX_TRUSTED_HOPS);
            edge.trusted_hops =
                known.ok_or_else(|| error("http.trusted_hops", "a number from 0 to 16"))?;
        }
        let filter = tenantry.and_then(|tenantry| object(tenantry, "filter"));
        if let Some(path) = filter.and_then(|filter| field(filter, "path")) {
            edge.filter_path = match path {
                Kind::StringValue(path) if !path.is_empty() => path.clone(),
                _ => return Err(error("filter.path", "the path of a file")),
            };
        }
        if let Some(above) = filter.and_then(|filter| field(filter, "shed_above")) {
            let known = number_of(above).filter(|above| (1..=MAX_SHED_ABOVE).contains(above));
            edge.shed_above = Some(
                known.ok_or_else(|| error("filter.shed_above", "a number from 1 to 1000000"))?,
            );
        }
        let kind =
            if node.user_agent_name == USER_AGENT { StreamKind::Mirror } else { StreamKind::Ads };
        Ok(Self {
            id: node.id.clone(),
            cell: node.cluster.clone(),
            kind,
            version: version(node),
            edge,
        })
    }
}

/// The version of the program that a Node is of.
fn version(node: &Node) -> String {
    match &node.user_agent_version_type {
        Some(UserAgentVersionType::UserAgentVersion(version)) => version.clone(),
        Some(UserAgentVersionType::UserAgentBuildVersion(build)) => {
            let number = build.version.as_ref();
            number
                .map(|v| format!("{}.{}.{}", v.major_number, v.minor_number, v.patch))
                .unwrap_or_default()
        }
        None => String::new(),
    }
}

fn field<'a>(object: &'a Struct, name: &str) -> Option<&'a Kind> {
    object.fields.get(name)?.kind.as_ref()
}

fn object<'a>(parent: &'a Struct, name: &str) -> Option<&'a Struct> {
    match field(parent, name) {
        Some(Kind::StructValue(object)) => Some(object),
        _ => None,
    }
}

/// A number, or a text of one: templates often leave quotes around it.
fn number_of<N: std::str::FromStr>(value: &Kind) -> Option<N> {
    let text = match value {
        Kind::NumberValue(number) => number.to_string(),
        Kind::StringValue(text) => text.clone(),
        _ => return None,
    };
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use xds_api::pb::google::protobuf::Value;

    use super::*;

    fn object(fields: impl IntoIterator<Item = (&'static str, Kind)>) -> Struct {
        let fields =
            fields.into_iter().map(|(name, kind)| (name.to_owned(), Value { kind: Some(kind) }));
        Struct { fields: fields.collect::<HashMap<_, _>>() }
    }

    fn node(http: Struct) -> Node {
        node_with("http", http)
    }

    fn node_with(section: &'static str, settings: Struct) -> Node {
        let tenantry = object([(section, Kind::StructValue(settings))]);
        let metadata = object([("tenantry", Kind::StructValue(tenantry))]);
        Node { id: "edge-1".to_owned(), metadata: Some(metadata), ..Default::default() }
    }

    #[test]
    fn what_is_absent_has_its_default() {
        let client = Client::read(&Node { id: "edge-1".to_owned(), ..Default::default() }).unwrap();
        assert_eq!(client.edge, EdgeSettings::default());
    }

    #[test]
    fn address_and_port_are_taken_from_the_metadata() {
        let http = object([
            ("address", Kind::StringValue("127.0.0.1".to_owned())),
            ("port", Kind::NumberValue(8080.0)),
        ]);
        let edge = Client::read(&node(http)).unwrap().edge;
        assert_eq!((edge.http_address, edge.http_port), (IpAddr::from([127, 0, 0, 1]), 8080));
    }

    #[test]
    fn a_wrong_setting_is_named() {
        for port in [
            Kind::NumberValue(0.0),
            Kind::NumberValue(70_000.0),
            Kind::StringValue("http".to_owned()),
        ] {
            let error = Client::read(&node(object([("port", port)]))).unwrap_err();
            assert_eq!((error.node.as_str(), error.field), ("edge-1", "http.port"));
        }
        for hops in [Kind::NumberValue(-1.0), Kind::NumberValue(17.0), Kind::BoolValue(true)] {
            let error = Client::read(&node(object([("trusted_hops", hops)]))).unwrap_err();
            assert_eq!(error.field, "http.trusted_hops");
        }
    }

    #[test]
    fn the_filter_sheds_above_a_number_that_a_worker_can_have() {
        let filter =
            |above| node_with("filter", object([("shed_above", Kind::NumberValue(above))]));
        assert_eq!(Client::read(&filter(20_000.0)).unwrap().edge.shed_above, Some(20_000));
        for above in [0.0, 0.5, 1_000_001.0] {
            assert_eq!(Client::read(&filter(above)).unwrap_err().field, "filter.shed_above");
        }
    }

    #[test]
    fn trusted_hops_are_a_number_or_a_text_of_one() {
        for hops in [Kind::NumberValue(2.0), Kind::StringValue("2".to_owned())] {
            assert_eq!(
                Client::read(&node(object([("trusted_hops", hops)]))).unwrap().edge.trusted_hops,
                2
            );
        }
    }
}
