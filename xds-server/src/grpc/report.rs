//! The log lines and metrics of streams and connections.

use std::net::SocketAddr;

use metrics::{counter, describe_counter, describe_gauge, gauge};
use tracing::{debug, error, info, warn};
use xds_api::pb::envoy::config::core::v3::Node;
use xds_api::pb::envoy::service::discovery::v3::DeltaDiscoveryResponse;

use super::peer::Peer;
use crate::ads::Event;
use crate::node::Client;
use crate::resource::ResourceType;

/// A gauge: the delta ADS streams that are open.
pub(crate) const STREAMS: &str = "tenantry_xds_streams";
const PUSHES: &str = "tenantry_xds_pushes_total";
const PUSHED_RESOURCES: &str = "tenantry_xds_pushed_resources_total";
const ACKS: &str = "tenantry_xds_acks_total";
const NACKS: &str = "tenantry_xds_nacks_total";
const STALE: &str = "tenantry_xds_stale_nonces_total";
const REFUSED: &str = "tenantry_xds_state_of_the_world_refused_total";
const EVICTED: &str = "tenantry_xds_evicted_sites_total";
const TLS_HANDSHAKE_ERRORS: &str = "tenantry_xds_tls_handshake_errors_total";
const CELLS_REFUSED: &str = "tenantry_xds_refused_cells_total";
const UNKNOWN_CELLS: &str = "tenantry_xds_unknown_cell_streams_total";

/// Gives the metrics their help texts, and their first values, so that alerts can be made before
/// the first event.
pub(crate) fn describe() {
    describe_gauge!(STREAMS, "Delta ADS streams that are open");
    describe_counter!(PUSHES, "Responses sent, by type");
    describe_counter!(PUSHED_RESOURCES, "Resources sent, removals included, by type");
    describe_counter!(ACKS, "Responses that clients accepted, by type");
    describe_counter!(NACKS, "Responses that clients refused, by type");
    describe_counter!(STALE, "Answers of clients to no response that is under way, by type");
    describe_counter!(REFUSED, "State-of-the-world streams refused");
    describe_counter!(
        UNKNOWN_CELLS,
        "Streams of Envoys whose cell does not exist, and that therefore get no tenant"
    );
    describe_counter!(EVICTED, "Idle sites that Envoys were told to let go of");
    describe_counter!(TLS_HANDSHAKE_ERRORS, "Connections whose TLS handshake failed");
    describe_counter!(
        CELLS_REFUSED,
        "Streams refused because the client certificate is not one of the cell"
    );
    gauge!(STREAMS).set(0.0);
    for errors in [TLS_HANDSHAKE_ERRORS, EVICTED, UNKNOWN_CELLS, CELLS_REFUSED] {
        counter!(errors).increment(0);
    }
    for kind in ResourceType::ALL {
        counter!(NACKS, "type" => kind.label()).increment(0);
    }
}

/// Counts a stream for as long as it lives.
pub(crate) struct StreamOpen;

impl StreamOpen {
    pub(crate) fn new() -> Self {
        gauge!(STREAMS).increment(1.0);
        Self
    }
}

impl Drop for StreamOpen {
    fn drop(&mut self) {
        gauge!(STREAMS).decrement(1.0);
    }
}

pub(crate) fn stream_started(client: Option<&Client>) {
    let cell = client.map_or("", |client| client.cell.as_str());
    info!(node = id(client), cell, "stream started");
}

pub(crate) fn unknown_cell(client: Option<&Client>) {
    counter!(UNKNOWN_CELLS).increment(1);
    let cell = client.map_or("", |client| client.cell.as_str());
    warn!(
        node = id(client),
        cell,
        "there is no such cell, so this Envoy gets no tenant: make the cell, or correct \
         `node.cluster` in the bootstrap"
    );
}

/// Logs a stream of an Envoy whose certificate does not name its cell.
pub(crate) fn cell_refused(node: Option<&Node>, peer: &Peer) {
    counter!(CELLS_REFUSED).increment(1);
    let (node, cell) = node.map_or(("", ""), |node| (&node.id, &node.cluster));
    warn!(
        node,
        cell,
        ?peer,
        "refused: the client certificate does not name this cell; correct `node.cluster`, or issue \
         another"
    );
}

pub(crate) fn handshake_failed(address: Option<SocketAddr>, reason: &str) {
    counter!(TLS_HANDSHAKE_ERRORS).increment(1);
    warn!(
        ?address,
        reason,
        "a TLS handshake failed: has the client a certificate of an authority in --tls-client-ca?"
    );
}

/// Counts the sites that a client is told to let go of.
pub(crate) fn evicted(client: Option<&Client>, sites: usize) {
    if sites > 0 {
        counter!(EVICTED).increment(sites as u64);
        info!(
            node = id(client),
            sites, "idle sites are evicted; their next request loads them again"
        );
    }
}

pub(crate) fn stream_ended(client: Option<&Client>, reason: &str) {
    info!(node = id(client), reason, "stream ended");
}

pub(crate) fn state_of_the_world_refused() {
    counter!(REFUSED).increment(1);
    warn!(
        "refused a state-of-the-world stream: set `api_type: DELTA_GRPC` in that Envoy's bootstrap"
    );
}

pub(crate) fn pushed(client: Option<&Client>, response: &DeltaDiscoveryResponse) {
    let kind = ResourceType::from_type_url(&response.type_url).map_or("", ResourceType::label);
    let (resources, removed) = (response.resources.len(), response.removed_resources.len());
    counter!(PUSHES, "type" => kind).increment(1);
    counter!(PUSHED_RESOURCES, "type" => kind).increment((resources + removed) as u64);
    debug!(node = id(client), kind, resources, removed, nonce = response.nonce, "pushed");
}

pub(crate) fn event(client: Option<&Client>, event: &Event) {
    let node = id(client);
    match event {
        Event::Ack { kind, .. } => counter!(ACKS, "type" => kind.label()).increment(1),
        Event::Nack { kind, resources, message } => {
            counter!(NACKS, "type" => kind.label()).increment(1);
            error!(node, kind = kind.label(), ?resources, message, "the client refused a response");
        }
        Event::StaleNonce { kind } => {
            counter!(STALE, "type" => kind.label()).increment(1);
            debug!(node, kind = kind.label(), "stale nonce");
        }
        Event::UnknownType { type_url } => {
            warn!(node, type_url, "the client asks for a type that is not served")
        }
    }
}

fn id(client: Option<&Client>) -> &str {
    client.map_or("", |client| client.id.as_str())
}
