//! The log lines and metrics of following the database.

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge};
use store::desired::{Omitted, Reason};
use tracing::{error, warn};

/// A histogram: seconds from looking at the change log to having its changes in the snapshot.
pub(crate) const APPLY_DURATION: &str = "tenantry_xds_apply_duration_seconds";
/// A histogram: seconds from the commit of a change to having it in the snapshot, for the oldest
/// of those that are applied together.
pub(crate) const CHANGE_LAG: &str = "tenantry_xds_change_lag_seconds";
/// A gauge: the sequence number of the last change that was applied.
pub(crate) const LAST_SEQ: &str = "tenantry_xds_last_seq";
/// A gauge: the seconds that the last full load took.
pub(super) const LOAD_DURATION: &str = "tenantry_xds_load_duration_seconds";
/// A counter: errors of the database while following it.
pub(super) const FOLLOW_ERRORS: &str = "tenantry_xds_follow_errors_total";
/// A gauge: the changes that were read from the log and wait for their turn.
pub(super) const WAITING: &str = "tenantry_xds_waiting_changes";
/// A gauge: the sites that keep earlier resources, as their newest ones cannot be made or were
/// refused.
pub(super) const QUARANTINED: &str = "tenantry_xds_quarantined_sites";

/// A gauge: the buckets of credentials and consumers that have parts that are too large to be
/// served.
pub(super) const LEFT_OUT: &str = "tenantry_xds_buckets_left_out";

/// Gives the metrics their help texts and first values.
pub(crate) fn describe() {
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
        QUARANTINED,
        "Sites whose newest resources were refused, and that keep the last good ones"
    );
    describe_gauge!(
        LEFT_OUT,
        "Buckets of which parts are too large to be served, so that their credentials are refused"
    );
    gauge!(LEFT_OUT).set(0.0);
    gauge!(QUARANTINED).set(0.0);
    gauge!(WAITING).set(0.0);
    counter!(FOLLOW_ERRORS).increment(0);
}

/// Logs an object of the database that cannot be served.
pub(crate) fn omitted(omitted: &Omitted) {
    let (tenant, object) = (omitted.tenant, omitted.object);
    match &omitted.reason {
        Reason::NoSecretsKey => {
            warn!(%tenant, ?object, "left out: it is sealed, and there is no --secrets-key-file")
        }
        Reason::NotOpened => {
            error!(%tenant, ?object, "left out: it was sealed with another secrets key, or was \
                changed")
        }
        Reason::Unreadable(reason) => {
            error!(%tenant, ?object, reason, "left out: it cannot be read")
        }
    }
}
