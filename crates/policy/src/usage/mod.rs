//! Usage: the requests of each consumer, key and route. Each worker VM of the filter has one
//! [`Aggregator`], which adds up exchanges and reports the sums to the control plane, so that every
//! request is counted exactly once.
//!
//! *How exactly once comes about.* A VM draws 16 random bytes when it starts, its *reporter*, and
//! numbers its reports from 1. It has one report under way at a time, sends the same bytes until
//! they are acknowledged, and collects meanwhile for the next. The receiver keeps the last number
//! of every reporter beside the sums, in the transaction that adds to them: a number that is not
//! above the last one has been added already, and is only acknowledged. So it does not matter which
//! answers are lost, how often a report arrives, and which of several receivers takes it.
//!
//! *The possible losses*: the sums of a VM whose process is killed, at most [`REPORT_INTERVAL_MS`]
//! and the requests since; and the part that the bound on memory cannot hold, which is counted
//! ([`UsageReport::lost_requests`]).

mod aggregator;
mod delivery;
mod detail;
pub mod histogram;
mod wire;

use crate::id::{ConsumerId, KeyId, RouteId, SiteId, TenantId};

pub use aggregator::{
    Aggregator, MAX_ENTRIES, MAX_REPORT_ENTRIES, Pending, REPORT_INTERVAL_MS, Report,
};
pub use delivery::{Delivery, End, GIVE_UP_MS, Step};
pub use wire::{METHOD, SERVICE, UsageAck, UsageEntry, UsageReport};

/// The largest report in bytes, which a receiver has to take. [`MAX_REPORT_ENTRIES`] entries of the
/// greatest length fit.
pub const MAX_REPORT_BYTES: usize = 256 * 1024;

/// The milliseconds of the hour, in which sums are kept.
pub const HOUR_MS: u64 = 3_600_000;

/// The caller, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Who {
    /// The tenant that owns the site.
    pub tenant: TenantId,
    /// The site that was called.
    pub site: SiteId,
    /// The consumer that was authenticated.
    pub consumer: Option<ConsumerId>,
    /// The credential that it used.
    pub key: Option<KeyId>,
    /// The route that was found.
    pub route: Option<RouteId>,
}

/// A request that is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exchange {
    /// The time at which it ended, in milliseconds since the Unix epoch: it counts in that hour.
    pub ended_at_ms: u64,
    /// The status that the client got; 0 if it got none.
    pub status: u16,
    /// From the request's headers to the end of the response, in microseconds.
    pub duration_us: u64,
    /// Bytes that the client sent.
    pub request_bytes: u64,
    /// Bytes that the client got.
    pub response_bytes: u64,
}

/// Returns the bytes of body that a response has by its head alone: `content_length` if the head
/// has one, and 0 if there can be no body (RFC 9110 sections 9.3.2, 15.3.5 and 15.4.5), even if the
/// head tells of a length. `None` if only the end will tell.
pub fn response_body_bytes(is_head: bool, status: u16, content_length: Option<u64>) -> Option<u64> {
    if is_head || matches!(status, 100..=199 | 204 | 304) { Some(0) } else { content_length }
}

/// The class of a status: its first digit from 1 to 5, or 0 for none and for numbers that HTTP does
/// not define.
pub fn status_class(status: u16) -> u8 {
    match status {
        100..=199 => 1,
        200..=299 => 2,
        300..=399 => 3,
        400..=499 => 4,
        500..=599 => 5,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::response_body_bytes;

    #[test]
    fn an_answer_without_a_body_has_no_bytes_whatever_its_head_says() {
        for (is_head, status, content_length, bytes) in [
            (false, 200, Some(7), Some(7)),
            (false, 200, None, None),
            (true, 200, Some(7), Some(0)),
            (true, 404, None, Some(0)),
            (false, 204, None, Some(0)),
            (false, 304, Some(7), Some(0)),
            (false, 0, None, None),
        ] {
            assert_eq!(
                response_body_bytes(is_head, status, content_length),
                bytes,
                "{is_head} {status} {content_length:?}"
            );
        }
    }
}
