//! Leases of limits that count over the whole fleet: the messages by which the control plane lends
//! an Envoy its share (package `tenantry.filter.v1`), and the measure that an Envoy counts by under
//! a grant ([`granted`]).
//!
//! Reports go up a stream, grants come down. No program sends these messages yet: limits count
//! within one Envoy. The format and its arithmetic are here first, so that both sides can be built
//! against them.

use super::{Bounds, Measure};

/// The whole of [`LeaseGrant::fallback_ppm`].
const PPM: u64 = 1_000_000;

/// The share of a limit that an Envoy may admit.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LeaseGrant {
    /// [`super::Limit::id`].
    #[prost(fixed64, tag = "1")]
    pub limit: u64,
    /// The owner of the counter, if the limit has one for each consumer or key: the 16 bytes of its
    /// id.
    /// Empty: every counter of the limit.
    #[prost(bytes = "vec", tag = "2")]
    pub subject: Vec<u8>,
    /// Rate: requests in the limit's `per_ms`. Quota: requests in the window, all grants in it so
    /// far included.
    #[prost(uint64, tag = "3")]
    pub requests: u64,
    /// Rate: the part of the burst, in requests. Quota: 0.
    #[prost(uint32, tag = "4")]
    pub burst: u32,
    /// Quota: the start of the window that it is for, milliseconds since the Unix epoch. Rate: 0.
    #[prost(uint64, tag = "5")]
    pub window_start_ms: u64,
    /// From when it is not valid any more, milliseconds since the Unix epoch.
    #[prost(uint64, tag = "6")]
    pub expires_ms: u64,
    /// The share of the limit, in millionths, that the Envoy may admit while it has no valid grant:
    /// in a new window, or cut off from the control plane. At most 1,000,000; the control plane
    /// sees to it that the shares of all Envoys add up to no more.
    #[prost(uint32, tag = "7")]
    pub fallback_ppm: u32,
}

/// The requests that an Envoy has admitted, so that the control plane can lend where it is needed.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LeaseReport {
    /// The 16 random bytes of this run of the Envoy.
    #[prost(bytes = "vec", tag = "1")]
    pub boot_id: Vec<u8>,
    /// Counts the reports of a run from 1, so that each is applied once.
    #[prost(uint64, tag = "2")]
    pub sequence: u64,
    /// The uses since the report before.
    #[prost(message, repeated, tag = "3")]
    pub counters: Vec<LeaseUse>,
}

/// One counter of a [`LeaseReport`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct LeaseUse {
    /// [`super::Limit::id`].
    #[prost(fixed64, tag = "1")]
    pub limit: u64,
    /// As in [`LeaseGrant::subject`].
    #[prost(bytes = "vec", tag = "2")]
    pub subject: Vec<u8>,
    /// Quota: the start of the window, milliseconds since the Unix epoch. Rate: 0.
    #[prost(uint64, tag = "3")]
    pub window_start_ms: u64,
    /// Requests admitted since the report before.
    #[prost(uint64, tag = "4")]
    pub admitted: u64,
    /// Requests that this limit refused since the report before: a larger grant would have let them
    /// through.
    #[prost(uint64, tag = "5")]
    pub refused: u64,
}

/// The measure that an Envoy applies to a limit under a grant; never more than the limit itself
/// allows.
///
/// `window` is the window that `now_ms` is in, for a quota. A grant that is over, or for another
/// window, gives way to its fallback share, rounded down.
pub fn granted(
    measure: Measure,
    grant: &LeaseGrant,
    window: Option<Bounds>,
    now_ms: u64,
) -> Measure {
    let same_window = window.is_none_or(|window| window.start_ms == grant.window_start_ms);
    let valid = now_ms < grant.expires_ms && same_window;
    match measure {
        Measure::Rate { requests, per_ms, burst } if valid => Measure::Rate {
            requests: requests.min(u32::try_from(grant.requests).unwrap_or(u32::MAX)),
            per_ms,
            burst: burst.min(grant.burst),
        },
        Measure::Rate { requests, per_ms, burst } => {
            let share = |of: u32| u32::try_from(fallback(grant, of.into())).unwrap_or(of);
            Measure::Rate { requests: share(requests), per_ms, burst: share(burst) }
        }
        Measure::Quota { requests, window } => {
            let cap = if valid { grant.requests } else { fallback(grant, requests) };
            Measure::Quota { requests: requests.min(cap), window }
        }
    }
}

fn fallback(grant: &LeaseGrant, of: u64) -> u64 {
    let ppm = u64::from(grant.fallback_ppm).min(PPM);
    u64::try_from(u128::from(of) * u128::from(ppm) / u128::from(PPM)).unwrap_or(of)
}

#[cfg(test)]
#[path = "lease_wire_tests.rs"]
mod tests;
