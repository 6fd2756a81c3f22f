//! ClusterLoadAssignments.

use std::net::IpAddr;

use policy::desired::DesiredEndpoint;
use policy::host::is_dns_name;
use policy::id::UpstreamId;
use xds_api::pb::envoy::config::core::v3::{Address, SocketAddress, address, socket_address};
use xds_api::pb::envoy::config::endpoint::v3::{
    ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints, lb_endpoint,
};

use super::error::TranslateError;
use super::protobuf::uint;

/// The endpoints of an upstream under the name of its cluster, in a fixed order, each once. A DNS
/// name has none: its permitted addresses are put in its place before ([`crate::dns`]).
pub(super) fn assignment(
    cluster: &str,
    upstream: UpstreamId,
    endpoints: &[DesiredEndpoint],
) -> Result<ClusterLoadAssignment, TranslateError> {
    let mut endpoints = endpoints.to_vec();
    endpoints.iter_mut().for_each(canonicalize);
    endpoints.sort();
    endpoints.dedup_by(|a, b| (&a.address, a.port) == (&b.address, b.port));
    let checked = endpoints.iter().map(|endpoint| lb_endpoint(upstream, endpoint));
    let lb_endpoints: Vec<_> = checked.filter_map(Result::transpose).collect::<Result<_, _>>()?;
    let group = LocalityLbEndpoints { lb_endpoints, ..Default::default() };
    let endpoints = if group.lb_endpoints.is_empty() { Vec::new() } else { vec![group] };
    Ok(ClusterLoadAssignment { cluster_name: cluster.to_owned(), endpoints, ..Default::default() })
}

fn lb_endpoint(
    upstream: UpstreamId,
    endpoint: &DesiredEndpoint,
) -> Result<Option<LbEndpoint>, TranslateError> {
    let address = endpoint.address.as_str();
    for (field, value) in [("port", u32::from(endpoint.port)), ("weight", endpoint.weight)] {
        if value == 0 {
            return Err(TranslateError::EndpointZero { upstream, field });
        }
    }
    if is_name(address) {
        return Ok(None);
    }
    if !is_ip(address) {
        return Err(TranslateError::EndpointAddress { upstream, address: address.to_owned() });
    }
    let host = Endpoint { address: Some(socket(address, endpoint.port)), ..Default::default() };
    Ok(Some(LbEndpoint {
        load_balancing_weight: uint(endpoint.weight),
        host_identifier: Some(lb_endpoint::HostIdentifier::Endpoint(host)),
        ..Default::default()
    }))
}

/// A TCP address.
pub(crate) fn socket(address: &str, port: u16) -> Address {
    Address {
        address: Some(address::Address::SocketAddress(SocketAddress {
            address: address.to_owned(),
            port_specifier: Some(socket_address::PortSpecifier::PortValue(port.into())),
            ..Default::default()
        })),
    }
}

/// Gives an IP address the one form that it has, an IPv4 address that is mapped into IPv6 its own:
/// Envoy takes it for IPv6, of which its host may have none.
fn canonicalize(endpoint: &mut DesiredEndpoint) {
    if let Ok(address) = endpoint.address.parse::<IpAddr>() {
        endpoint.address = address.to_canonical().to_string();
    }
}

fn is_ip(address: &str) -> bool {
    address.parse::<IpAddr>().is_ok()
}

/// Returns true for a DNS name ([`is_dns_name`]), and false for an address.
pub fn is_name(address: &str) -> bool {
    !is_ip(address) && is_dns_name(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_form_and_is_there_once() {
        let endpoint =
            |address: &str| DesiredEndpoint { address: address.to_owned(), port: 80, weight: 1 };
        let endpoints = ["::ffff:8.8.8.8", "8.8.8.8", "2A00:0::1", "2a00::1"].map(endpoint);
        let made = assignment("c", UpstreamId(policy::id::Uuid::nil()), &endpoints).unwrap();
        let text = format!("{made:?}");
        assert_eq!(made.endpoints[0].lb_endpoints.len(), 2);
        assert!(text.contains("\"8.8.8.8\"") && text.contains("\"2a00::1\""), "{text}");
    }
}
