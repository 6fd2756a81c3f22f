//! The metrics of the files of TLS.

use metrics::{counter, describe_counter, describe_gauge};

/// A gauge, by file: when the first certificate in it ends, in seconds since 1970.
pub(super) const TLS_EXPIRY: &str = "tenantry_xds_tls_expiry_timestamp_seconds";
/// A counter: changes of the files that could not be taken over.
pub(super) const TLS_RELOAD_ERRORS: &str = "tenantry_xds_tls_reload_errors_total";

/// Gives the metrics their help texts and first values.
pub(crate) fn describe() {
    describe_gauge!(
        TLS_EXPIRY,
        "When the first certificate of a file ends, in seconds since 1970, by file"
    );
    describe_counter!(
        TLS_RELOAD_ERRORS,
        "Changes of the files of TLS that could not be taken over"
    );
    counter!(TLS_RELOAD_ERRORS).increment(0);
}
