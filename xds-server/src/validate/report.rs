//! The log lines and metrics of validating Envoys.

use metrics::{counter, describe_counter, describe_gauge, gauge};
use tracing::{error, warn};

use super::run::ValidateError;
use super::verdict::Verdict;

const VALIDATIONS_WAITING: &str = "tenantry_xds_validations_waiting";
const VALIDATIONS: &str = "tenantry_xds_validations_total";

/// Gives the metrics their help texts and first values.
pub(crate) fn describe() {
    describe_gauge!(VALIDATIONS_WAITING, "Sites that wait for a validating Envoy");
    describe_counter!(VALIDATIONS, "Runs of validating Envoys, by outcome");
    validations_waiting(0);
}

pub(super) fn validations_waiting(sites: usize) {
    gauge!(VALIDATIONS_WAITING).set(sites as f64);
}

/// Notes the outcome of a validation of so many sites.
pub(super) fn validated(outcome: &Result<(), ValidateError>, sites: usize) {
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

/// Notes that a validating Envoy refuses a site.
pub fn refused_by_validation(verdict: &Verdict) {
    error!(site = %verdict.site, reason = verdict.reason, "a validating Envoy refuses what is \
        served of the site");
}
