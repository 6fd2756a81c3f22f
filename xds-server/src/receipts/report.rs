//! The metrics of the recorder.

use metrics::{counter, describe_counter};

/// A counter: errors of the database while the answers of Envoys are written.
pub(super) const RECORD_ERRORS: &str = "tenantry_xds_record_errors_total";

/// Gives the metrics their help texts and first values.
pub(crate) fn describe() {
    describe_counter!(
        RECORD_ERRORS,
        "Errors of the database while what Envoys have answered is written"
    );
    counter!(RECORD_ERRORS).increment(0);
}
