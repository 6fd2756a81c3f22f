//! The log lines and metrics of names and addresses of upstreams.

use metrics::{counter, describe_counter, describe_gauge, gauge};
use policy::address::AddressRefusal;
use policy::id::{SiteId, TenantId, UpstreamId};
use tracing::warn;

/// A counter: errors of the database while addresses of names are saved.
pub(super) const DNS_SAVE_ERRORS: &str = "tenantry_xds_dns_save_errors_total";
const DNS_NAMES: &str = "tenantry_xds_dns_names";
const DNS_WITHOUT_ADDRESS: &str = "tenantry_xds_dns_names_without_address";
const DNS_RESOLUTIONS: &str = "tenantry_xds_dns_resolutions_total";
const ENDPOINTS_REFUSED: &str = "tenantry_xds_endpoints_refused_total";

/// Gives the metrics their help texts and first values.
pub(crate) fn describe() {
    describe_gauge!(DNS_NAMES, "Names of upstreams that are in use");
    describe_gauge!(
        DNS_WITHOUT_ADDRESS,
        "Names of upstreams that have no address that upstreams may have"
    );
    describe_counter!(DNS_RESOLUTIONS, "Resolutions of names of upstreams, by outcome");
    describe_counter!(DNS_SAVE_ERRORS, "Errors of the database while addresses of names are saved");
    describe_counter!(
        ENDPOINTS_REFUSED,
        "Addresses of upstreams that were left out because upstreams may not have them"
    );
    dns_names((0, 0));
}

pub(super) fn dns_names((names, without): (usize, usize)) {
    gauge!(DNS_NAMES).set(names as f64);
    gauge!(DNS_WITHOUT_ADDRESS).set(without as f64);
}

pub(super) fn dns_resolved(some_refused: bool) {
    let outcome = if some_refused { "refused" } else { "ok" };
    counter!(DNS_RESOLUTIONS, "outcome" => outcome).increment(1);
}

pub(super) fn dns_failed() {
    counter!(DNS_RESOLUTIONS, "outcome" => "failed").increment(1);
}

pub(super) fn dns_complaint(name: &str, complaint: &str) {
    warn!(
        name,
        complaint,
        "the name of an upstream is not good; addresses that are not permitted are left out"
    );
}

pub(super) fn endpoint_refused(
    tenant: TenantId,
    site: SiteId,
    upstream: UpstreamId,
    refusal: AddressRefusal,
) {
    counter!(ENDPOINTS_REFUSED).increment(1);
    warn!(%tenant, %site, %upstream, %refusal, "an endpoint is left out; --upstream-allow permits \
        more");
}
