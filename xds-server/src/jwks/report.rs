//! The log lines and metrics of reading JWK Sets.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use tracing::{debug, error, info, warn};

use super::fetch::FetchError;
use super::set::KeySet;

/// A gauge: the URLs of JWK Sets that are in use.
pub(super) const JWKS_URLS: &str = "tenantry_xds_jwks_urls";
/// A gauge: those of [`JWKS_URLS`] that could not be read when last tried.
pub(super) const JWKS_FAILING: &str = "tenantry_xds_jwks_failing_urls";
/// A gauge: those of [`JWKS_URLS`] that were never read.
pub(super) const JWKS_MISSING: &str = "tenantry_xds_jwks_missing_sets";
/// A histogram: the seconds that the reading of a JWK Set took.
pub(crate) const JWKS_DURATION: &str = "tenantry_xds_jwks_read_duration_seconds";
/// A counter: errors of the database while JWK Sets are saved.
pub(super) const JWKS_SAVE_ERRORS: &str = "tenantry_xds_jwks_save_errors_total";
const JWKS_READS: &str = "tenantry_xds_jwks_reads_total";

/// Gives the metrics their help texts and first values.
pub(crate) fn describe() {
    describe_gauge!(JWKS_URLS, "URLs of JWK Sets that are in use");
    describe_gauge!(JWKS_FAILING, "URLs of JWK Sets that could not be read when last tried");
    describe_gauge!(
        JWKS_MISSING,
        "URLs of JWK Sets that were never read, so that no token of their issuers is accepted"
    );
    describe_counter!(JWKS_READS, "Readings of JWK Sets, by outcome");
    describe_histogram!(JWKS_DURATION, "Seconds that a reading of a JWK Set took");
    describe_counter!(JWKS_SAVE_ERRORS, "Errors of the database while JWK Sets are saved");
    for urls in [JWKS_URLS, JWKS_FAILING, JWKS_MISSING] {
        gauge!(urls).set(0.0);
    }
}

pub(super) fn jwks_read(url: &str, took: Duration, set: &KeySet, lifetime: Duration, sites: usize) {
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

pub(super) fn jwks_failed(url: &str, took: Duration, error: &FetchError, failures: u32) {
    counter!(JWKS_READS, "outcome" => error.label()).increment(1);
    histogram!(JWKS_DURATION).record(took);
    let url = without_query(url);
    // Once for each outage: a failure that lasts for days is seen in the metrics.
    if failures == 1 {
        warn!(url, %error, "a JWK Set cannot be read; what is known of it stays");
    } else {
        debug!(url, %error, failures, "a JWK Set still cannot be read");
    }
}

/// A URL for the log: its query may hold a secret.
fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}
