//! The log lines and metrics of the usage service.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_histogram, histogram};
use store::StoreError;
use tracing::{debug, error, warn};

use super::parse::{ParseError, Parsed};

const REPORTS: &str = "tenantry_usage_reports_total";
const REQUESTS: &str = "tenantry_usage_requests_total";
const DROPPED: &str = "tenantry_usage_dropped_requests_total";
const COARSENED: &str = "tenantry_usage_coarsened_requests_total";
/// Seconds that it took to write the reports that were waiting.
pub const WRITE_DURATION: &str = "tenantry_usage_write_duration_seconds";

/// Gives the metrics their help texts; once, after a recorder is installed.
pub fn describe() {
    describe_counter!(REPORTS, "Reports of worker VMs, by what became of them");
    describe_counter!(REQUESTS, "Requests that reports have added to the sums");
    describe_counter!(DROPPED, "Requests that are in no sum, by reason");
    describe_counter!(
        COARSENED,
        "Requests that lost a part of what they are told apart by, for want of memory in a VM"
    );
    describe_histogram!(
        WRITE_DURATION,
        "Seconds that it took to write the reports that were waiting"
    );
    // So that they can be read, and alerted on, before the first event.
    for outcome in ["added", "repeated", "refused", "unavailable"] {
        counter!(REPORTS, "outcome" => outcome).increment(0);
    }
    for reason in ["unknown_site", "malformed", "untimely", "lost_by_vm"] {
        counter!(DROPPED, "reason" => reason).increment(0);
    }
    counter!(REQUESTS).increment(0);
    counter!(COARSENED).increment(0);
}

/// A report was added now.
pub(super) fn added(parsed: &Parsed) {
    counter!(REPORTS, "outcome" => "added").increment(1);
    counter!(COARSENED).increment(parsed.coarsened_requests);
    counter!(DROPPED, "reason" => "malformed").increment(parsed.malformed_requests);
    counter!(DROPPED, "reason" => "untimely").increment(parsed.untimely_requests);
    counter!(DROPPED, "reason" => "lost_by_vm").increment(parsed.lost_requests);
    let (node, requests, seq) = (&parsed.node_id, parsed.requests, parsed.report.seq);
    let (malformed, untimely, lost) =
        (parsed.malformed_requests, parsed.untimely_requests, parsed.lost_requests);
    if malformed + untimely + lost > 0 {
        warn!(node, seq, requests, malformed, untimely, lost, "usage was left out");
    } else {
        debug!(node, seq, requests, "usage was added");
    }
}

/// A report had been added before.
pub(super) fn repeated(parsed: &Parsed) {
    counter!(REPORTS, "outcome" => "repeated").increment(1);
    debug!(node = parsed.node_id, seq = parsed.report.seq, "a report came again");
}

/// A report is of nobody.
pub(super) fn refused(error: &ParseError) {
    counter!(REPORTS, "outcome" => "refused").increment(1);
    warn!(%error, "a report was refused");
}

/// A report cannot wait, for too many do.
pub(super) fn turned_away() {
    counter!(REPORTS, "outcome" => "unavailable").increment(1);
    debug!("a report was turned away: too many wait");
}

/// Reports could not be written.
pub(super) fn unavailable(reports: usize, error: &StoreError) {
    counter!(REPORTS, "outcome" => "unavailable").increment(reports as u64);
    let cause = std::error::Error::source(error).map(ToString::to_string);
    if error.is_unavailable() || error.is_transient() {
        warn!(reports, %error, cause, "usage cannot be written; it will be sent again");
    } else {
        error!(reports, %error, cause, "usage could not be written; it will be sent again");
    }
}

/// Notes that reports were written together, with so many requests, of which so many are of sites
/// that do not exist (any more).
pub(super) fn written(reports: usize, requests: u64, unknown_requests: i64, took: Duration) {
    let unknown = u64::try_from(unknown_requests).unwrap_or_default();
    counter!(REQUESTS).increment(requests.saturating_sub(unknown));
    counter!(DROPPED, "reason" => "unknown_site").increment(unknown);
    histogram!(WRITE_DURATION).record(took);
    debug!(reports, requests, unknown, took_ms = took.as_secs_f64() * 1000.0, "wrote usage");
}
