//! What the server says about itself: log lines and metrics, all in one place.

use std::net::SocketAddr;
use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use policy::address::AddressRefusal;
use policy::id::{SiteId, TenantId, UpstreamId};
use store::desired::{Omitted, Reason};
use tracing::{debug, error, info, warn};
use xds_api::pb::envoy::config::core::v3::Node;
use xds_api::pb::envoy::service::discovery::v3::DeltaDiscoveryResponse;

use crate::ads::Event;
use crate::grpc::peer::Peer;
use crate::jwks::{FetchError, KeySet};
use crate::node::Client;
use crate::resource::ResourceType;
use crate::validate::{ValidateError, Verdict};

/// How many delta ADS streams are open.
pub const STREAMS: &str = "tenantry_xds_streams";
const PUSHES: &str = "tenantry_xds_pushes_total";
const PUSHED_RESOURCES: &str = "tenantry_xds_pushed_resources_total";
const ACKS: &str = "tenantry_xds_acks_total";
const NACKS: &str = "tenantry_xds_nacks_total";
const STALE: &str = "tenantry_xds_stale_nonces_total";
const REFUSED: &str = "tenantry_xds_state_of_the_world_refused_total";
/// Seconds from looking at the change log to having its changes in the snapshot.
pub const APPLY_DURATION: &str = "tenantry_xds_apply_duration_seconds";
/// Seconds from the commit of a change to having it in the snapshot, for the oldest of those that
/// are applied together.
pub const CHANGE_LAG: &str = "tenantry_xds_change_lag_seconds";
/// The sequence number of the last change that was applied.
pub const LAST_SEQ: &str = "tenantry_xds_last_seq";
/// How long a full load took, in seconds.
pub const LOAD_DURATION: &str = "tenantry_xds_load_duration_seconds";
/// Errors of the database while following it.
pub const FOLLOW_ERRORS: &str = "tenantry_xds_follow_errors_total";
/// How many changes were read from the log and wait for their turn.
pub const WAITING: &str = "tenantry_xds_waiting_changes";
/// Whether what is served was stored by an earlier run, and was not read from PostgreSQL yet.
pub const FROM_DISK: &str = "tenantry_xds_from_disk";
/// Whether PostgreSQL could be read when that was last tried.
pub const CONNECTED: &str = "tenantry_xds_postgresql_connected";
/// The sequence number of the last change that is stored on disk.
pub const STATE_SEQ: &str = "tenantry_xds_state_seq";
/// The size of what is stored on disk, in bytes.
pub const STATE_BYTES: &str = "tenantry_xds_state_bytes";
/// Failures to store what is served.
pub const STATE_ERRORS: &str = "tenantry_xds_state_errors_total";
/// How long it took to store what had changed, in seconds.
pub const STATE_WRITE_DURATION: &str = "tenantry_xds_state_write_duration_seconds";
/// How many sites keep what they had, as their newest resources cannot be made or were refused.
pub const QUARANTINED: &str = "tenantry_xds_quarantined_sites";
/// How many cells there are.
pub const CELLS: &str = "tenantry_xds_cells";
/// When the first certificate of a file ends, in seconds since 1970.
pub const TLS_EXPIRY: &str = "tenantry_xds_tls_expiry_timestamp_seconds";
/// Changes of the files of TLS that could not be taken over.
pub const TLS_RELOAD_ERRORS: &str = "tenantry_xds_tls_reload_errors_total";
const EVICTED: &str = "tenantry_xds_evicted_sites_total";
const TLS_HANDSHAKE_ERRORS: &str = "tenantry_xds_tls_handshake_errors_total";
const CELLS_REFUSED: &str = "tenantry_xds_refused_cells_total";
const UNKNOWN_CELLS: &str = "tenantry_xds_unknown_cell_streams_total";

/// Errors of the database while what Envoys have answered is written.
pub const RECORD_ERRORS: &str = "tenantry_xds_record_errors_total";

/// How many URLs of JWK Sets are in use, could not be read when last tried, and have no set at all.
pub const JWKS_URLS: &str = "tenantry_xds_jwks_urls";
/// See [`JWKS_URLS`].
pub const JWKS_FAILING: &str = "tenantry_xds_jwks_failing_urls";
/// See [`JWKS_URLS`].
pub const JWKS_MISSING: &str = "tenantry_xds_jwks_missing_sets";
/// How long a reading of a JWK Set took, in seconds.
pub const JWKS_DURATION: &str = "tenantry_xds_jwks_read_duration_seconds";
/// Errors of the database while JWK Sets are saved.
pub const JWKS_SAVE_ERRORS: &str = "tenantry_xds_jwks_save_errors_total";
const JWKS_READS: &str = "tenantry_xds_jwks_reads_total";

/// How many names of upstreams are in use, and how many of them have no address.
pub const DNS_NAMES: &str = "tenantry_xds_dns_names";
/// See [`DNS_NAMES`].
pub const DNS_WITHOUT_ADDRESS: &str = "tenantry_xds_dns_names_without_address";
/// Errors of the database while addresses of names are saved.
pub const DNS_SAVE_ERRORS: &str = "tenantry_xds_dns_save_errors_total";
const DNS_RESOLUTIONS: &str = "tenantry_xds_dns_resolutions_total";
const ENDPOINTS_REFUSED: &str = "tenantry_xds_endpoints_refused_total";

/// How many sites wait for an Envoy to look at them.
const VALIDATIONS_WAITING: &str = "tenantry_xds_validations_waiting";
const VALIDATIONS: &str = "tenantry_xds_validations_total";

/// Gives the metrics their help texts; once, after a recorder is installed.
pub fn describe() {
    describe_gauge!(STREAMS, "Delta ADS streams that are open");
    describe_counter!(PUSHES, "Responses sent, by type");
    describe_counter!(PUSHED_RESOURCES, "Resources sent, removals included, by type");
    describe_counter!(ACKS, "Responses that clients accepted, by type");
    describe_counter!(NACKS, "Responses that clients refused, by type");
    describe_counter!(STALE, "Answers of clients to no response that is under way, by type");
    describe_counter!(REFUSED, "State-of-the-world streams refused");
    describe_histogram!(
        APPLY_DURATION,
        "Seconds from looking at the change log to having its changes in the snapshot"
    );
    describe_histogram!(
        CHANGE_LAG,
        "Seconds from the commit of a change to having it in the snapshot"
    );
    describe_gauge!(LAST_SEQ, "Sequence number of the last change that was applied");
    describe_gauge!(LOAD_DURATION, "Seconds that the last full load took");
    describe_counter!(FOLLOW_ERRORS, "Errors of the database while following it");
    describe_gauge!(WAITING, "Changes that were read from the log and wait for their turn");
    describe_gauge!(
        FROM_DISK,
        "1 while what is served was stored by an earlier run, and was not read from PostgreSQL yet"
    );
    describe_gauge!(CONNECTED, "1 while PostgreSQL can be read");
    describe_gauge!(STATE_SEQ, "Sequence number of the last change that is stored on disk");
    describe_gauge!(STATE_BYTES, "Size of what is stored on disk");
    describe_counter!(STATE_ERRORS, "Failures to store what is served");
    describe_histogram!(STATE_WRITE_DURATION, "Seconds that it took to store what had changed");
    describe_gauge!(
        QUARANTINED,
        "Sites whose newest resources were refused, and that keep the last good ones"
    );
    describe_counter!(
        RECORD_ERRORS,
        "Errors of the database while what Envoys have answered is written"
    );
    describe_gauge!(CELLS, "Cells that there are");
    describe_counter!(
        UNKNOWN_CELLS,
        "Streams of Envoys whose cell does not exist, and that therefore get no tenant"
    );
    describe_gauge!(
        TLS_EXPIRY,
        "When the first certificate of a file ends, in seconds since 1970, by file"
    );
    describe_counter!(EVICTED, "Idle sites that Envoys were told to let go of");
    describe_counter!(
        TLS_RELOAD_ERRORS,
        "Changes of the files of TLS that could not be taken over"
    );
    describe_counter!(TLS_HANDSHAKE_ERRORS, "Connections whose TLS handshake failed");
    describe_counter!(
        CELLS_REFUSED,
        "Streams refused because the client certificate is not one of the cell"
    );
    describe_gauge!(JWKS_URLS, "URLs of JWK Sets that are in use");
    describe_gauge!(JWKS_FAILING, "URLs of JWK Sets that could not be read when last tried");
    describe_gauge!(
        JWKS_MISSING,
        "URLs of JWK Sets that were never read, so that no token of their issuers is accepted"
    );
    describe_counter!(JWKS_READS, "Readings of JWK Sets, by outcome");
    describe_histogram!(JWKS_DURATION, "Seconds that a reading of a JWK Set took");
    describe_counter!(JWKS_SAVE_ERRORS, "Errors of the database while JWK Sets are saved");
    describe_gauge!(DNS_NAMES, "Names of upstreams that are in use");
    describe_gauge!(
        DNS_WITHOUT_ADDRESS,
        "Names of upstreams that have no address that upstreams may have"
    );
    describe_counter!(DNS_RESOLUTIONS, "Resolutions of names of upstreams, by outcome");
    describe_counter!(DNS_SAVE_ERRORS, "Errors of the database while addresses of names are saved");
    describe_counter!(
        ENDPOINTS_REFUSED,
        "Addresses of upstreams that were left out because upstreams may not have them"
    );
    describe_gauge!(VALIDATIONS_WAITING, "Sites that wait for a validating Envoy");
    describe_counter!(VALIDATIONS, "Runs of validating Envoys, by outcome");
    begin();
}

/// Gives metrics their first values, so that they can be read, and alerted on, before the first
/// event.
fn begin() {
    let now = [STREAMS, QUARANTINED, VALIDATIONS_WAITING, WAITING, FROM_DISK, CONNECTED];
    let names = [JWKS_URLS, JWKS_FAILING, JWKS_MISSING, DNS_NAMES, DNS_WITHOUT_ADDRESS];
    for gauge in now.into_iter().chain(names) {
        gauge!(gauge).set(0.0);
    }
    let errors =
        [STATE_ERRORS, RECORD_ERRORS, FOLLOW_ERRORS, TLS_RELOAD_ERRORS, TLS_HANDSHAKE_ERRORS];
    for counter in errors.into_iter().chain([EVICTED, UNKNOWN_CELLS, CELLS_REFUSED]) {
        counter!(counter).increment(0);
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
        "there is no such cell, so this Envoy gets no tenant: make the cell, or correct `node.cluster` in the bootstrap"
    );
}

/// A stream of an Envoy that says it is of a cell that its certificate does not name.
pub(crate) fn cell_refused(node: Option<&Node>, peer: &Peer) {
    counter!(CELLS_REFUSED).increment(1);
    let (node, cell) = node.map_or(("", ""), |node| (&node.id, &node.cluster));
    warn!(
        node,
        cell,
        ?peer,
        "refused: the client certificate does not name this cell; correct `node.cluster`, or issue another"
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

/// Sites that a client is told to let go of.
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

pub(crate) fn jwks_read(url: &str, took: Duration, set: &KeySet, lifetime: Duration, sites: usize) {
    counter!(JWKS_READS, "outcome" => "ok").increment(1);
    histogram!(JWKS_DURATION).record(took);
    let (url, keys, left_out, lifetime_s) =
        (without_query(url), set.keys, set.left_out, lifetime.as_secs());
    if set.leaked {
        error!(url, "the issuer publishes private keys; those are not used");
    }
    if sites > 0 {
        info!(url, keys, left_out, lifetime_s, sites, "a JWK Set has changed, and is pushed");
    } else {
        debug!(url, keys, left_out, lifetime_s, "a JWK Set was read");
    }
}

pub(crate) fn jwks_failed(url: &str, took: Duration, error: &FetchError, failures: u32) {
    counter!(JWKS_READS, "outcome" => error.label()).increment(1);
    histogram!(JWKS_DURATION).record(took);
    let url = without_query(url);
    // Once for each outage: what fails for days is seen in the metrics.
    if failures == 1 {
        warn!(url, %error, "a JWK Set cannot be read; what is known of it stays");
    } else {
        debug!(url, %error, failures, "a JWK Set still cannot be read");
    }
}

pub(crate) fn dns_names((names, without): (usize, usize)) {
    gauge!(DNS_NAMES).set(names as f64);
    gauge!(DNS_WITHOUT_ADDRESS).set(without as f64);
}

pub(crate) fn dns_resolved(some_refused: bool) {
    let outcome = if some_refused { "refused" } else { "ok" };
    counter!(DNS_RESOLUTIONS, "outcome" => outcome).increment(1);
}

pub(crate) fn dns_failed() {
    counter!(DNS_RESOLUTIONS, "outcome" => "failed").increment(1);
}

pub(crate) fn dns_complaint(name: &str, complaint: &str) {
    warn!(
        name,
        complaint,
        "the name of an upstream is not good; addresses that are not permitted are left out"
    );
}

pub(crate) fn endpoint_refused(
    tenant: TenantId,
    site: SiteId,
    upstream: UpstreamId,
    refusal: AddressRefusal,
) {
    counter!(ENDPOINTS_REFUSED).increment(1);
    warn!(%tenant, %site, %upstream, %refusal, "an endpoint is left out; --upstream-allow permits more");
}

/// A URL for the log: its query may hold what is nobody's business.
fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// Something that the database has, and that cannot be served.
pub(crate) fn omitted(omitted: &Omitted) {
    let (tenant, object) = (omitted.tenant, omitted.object);
    match &omitted.reason {
        Reason::NoSecretsKey => {
            warn!(%tenant, ?object, "left out: it is sealed, and there is no --secrets-key-file")
        }
        Reason::NotOpened => {
            error!(%tenant, ?object, "left out: it was sealed with another secrets key, or was changed")
        }
        Reason::Unreadable(reason) => {
            error!(%tenant, ?object, reason, "left out: it cannot be read")
        }
    }
}

fn id(client: Option<&Client>) -> &str {
    client.map_or("", |client| client.id.as_str())
}

pub(crate) fn validations_waiting(sites: usize) {
    gauge!(VALIDATIONS_WAITING).set(sites as f64);
}

/// What a validating Envoy said of so many sites.
pub(crate) fn validated(outcome: &Result<(), ValidateError>, sites: usize) {
    let label = match outcome {
        Ok(()) => "taken",
        Err(ValidateError::Run(error)) => {
            warn!(%error, "no Envoy can be run for validation: see --validate-envoy");
            "failed"
        }
        Err(ValidateError::Timeout) => {
            warn!(sites, "a validating Envoy took too long, and was ended");
            "timeout"
        }
        Err(_) => "refused",
    };
    counter!(VALIDATIONS, "outcome" => label).increment(1);
}

/// What a validating Envoy would not take.
pub fn refused_by_validation(verdict: &Verdict) {
    error!(site = %verdict.site, reason = verdict.reason, "a validating Envoy refuses what is served of the site");
}
