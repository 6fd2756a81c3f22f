//! The names of the filter's stats in Envoy. No name has a tenant in it, so their number is fixed.

use crate::refusal::Refusal;

/// The counter of requests that were let go.
pub const LET_GO: &str = "tenantry.requests.let_go";

/// The gauges and their meanings. Each is the sum over all VMs that live ([`crate::gauge`]).
pub const GAUGES: [(&str, &str); 4] = [
    ("tenantry.decoded.sites", "Policies of sites that the VMs hold decoded"),
    ("tenantry.decoded.consumers", "Consumers that the VMs hold decoded"),
    ("tenantry.usage.pending_entries", "Sums of usage that are not acknowledged yet"),
    ("tenantry.usage.pending_requests", "Requests in usage that is not acknowledged yet"),
];

/// The counter of requests that were refused for a reason ([`Refusal::reason`]).
pub fn refused(reason: &str) -> String {
    format!("tenantry.requests.refused.{reason}")
}

/// The counters and their meanings.
pub fn counters() -> Vec<(String, String)> {
    let refused = Refusal::REASONS.map(|(reason, meaning)| {
        (refused(reason), format!("Requests that were refused: {meaning}"))
    });
    let let_go = (LET_GO.to_owned(), "Requests that were let go".to_owned());
    std::iter::once(let_go).chain(refused).collect()
}
