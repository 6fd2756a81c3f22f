//! The metrics of the state on disk.

use metrics::{counter, describe_counter, describe_gauge, describe_histogram};

/// A gauge: the sequence number of the last change that is stored.
pub(super) const STATE_SEQ: &str = "tenantry_xds_state_seq";
/// A gauge: the size of the stored state, in bytes.
pub(super) const STATE_BYTES: &str = "tenantry_xds_state_bytes";
/// A counter: failures to store.
pub(super) const STATE_ERRORS: &str = "tenantry_xds_state_errors_total";
/// A histogram: the seconds that storing a set of changes took.
pub(crate) const STATE_WRITE_DURATION: &str = "tenantry_xds_state_write_duration_seconds";

/// Gives the metrics their help texts and first values.
pub(crate) fn describe() {
    describe_gauge!(STATE_SEQ, "Sequence number of the last change that is stored on disk");
    describe_gauge!(STATE_BYTES, "Size of what is stored on disk");
    describe_counter!(STATE_ERRORS, "Failures to store what is served");
    describe_histogram!(STATE_WRITE_DURATION, "Seconds that it took to store what had changed");
    counter!(STATE_ERRORS).increment(0);
}
