//! Prometheus metrics: counts and latencies by method, route pattern and status. No label names a
//! tenant, so that their number stays bounded, and so that readers of the metrics learn nothing
//! about tenants.

use std::sync::OnceLock;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use service::jobs::JobHandle;
use service::prometheus::{self, BuildError, Histogram, PrometheusHandle};

const REQUESTS: &str = "tenantry_admin_requests_total";
const RATE_LIMITED: &str = "tenantry_admin_rate_limited_total";
const DISPOSED: &str = "tenantry_admin_disposed_total";
const CONNECTIONS_CLOSED: &str = "tenantry_admin_connections_closed_total";
const SECONDS: &str = "tenantry_admin_request_duration_seconds";
/// From a primary-key read to an import of a large document.
const BUCKETS: [f64; 12] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();

/// Starts to collect. Metrics are one set per process: a second call does nothing.
///
/// # Errors
/// If another recorder collects the process's metrics.
pub fn install() -> Result<(), BuildError> {
    if HANDLE.get().is_some() {
        return Ok(());
    }
    let handle = prometheus::install(&[Histogram { name: SECONDS, buckets: &BUCKETS }])?;
    describe();
    let _ = HANDLE.set(handle);
    Ok(())
}

/// Gives the metrics their help texts.
pub fn describe() {
    metrics::describe_counter!(REQUESTS, "Requests that were answered.");
    metrics::describe_histogram!(
        SECONDS,
        metrics::Unit::Seconds,
        "Time from the head of a request to its answer."
    );
    metrics::describe_counter!(
        RATE_LIMITED,
        "Requests that were refused because a rate limit of the API was reached."
    );
    metrics::describe_counter!(
        CONNECTIONS_CLOSED,
        "Connections of clients that were closed by the service, by the reason: `silent` without a \
         request, `idle` after one, `stalled` in an answer that is not read, `crowded` to make \
         room for another, `refused` at once because their address has its most."
    );
    metrics::describe_counter!(
        DISPOSED,
        "Rows that were removed because they were abandoned or over, by their kind."
    );
}

/// Counts one answered request.
pub fn record(method: &Method, route: &str, status: StatusCode, elapsed: Duration) {
    // Clients can invent methods; labels must not follow them.
    let known = [Method::GET, Method::HEAD, Method::POST, Method::PATCH, Method::DELETE];
    let method = known.iter().find(|known| *known == method).map_or("other", Method::as_str);
    let labels = [
        ("method", method.to_owned()),
        ("route", route.to_owned()),
        ("status", status.as_u16().to_string()),
    ];
    metrics::counter!(REQUESTS, &labels).increment(1);
    metrics::histogram!(SECONDS, &labels).record(elapsed);
}

/// Counts one request that was refused by a rate limit.
pub fn rate_limited(limit: &'static str) {
    metrics::counter!(RATE_LIMITED, "limit" => limit).increment(1);
}

/// Counts one connection that was closed, by the reason.
pub fn connection_closed(reason: &'static str) {
    metrics::counter!(CONNECTIONS_CLOSED, "reason" => reason).increment(1);
}

/// Counts the rows that pruning has removed of a kind.
pub fn disposed(kind: &'static str, number: u64) {
    metrics::counter!(DISPOSED, "kind" => kind).increment(number);
}

/// The metrics in Prometheus' text format.
pub fn render() -> String {
    HANDLE.get().map(PrometheusHandle::render).unwrap_or_default()
}

/// Folds collected samples into their buckets every few seconds, for ever.
pub async fn keep_up(job: JobHandle) {
    match HANDLE.get() {
        Some(handle) => prometheus::keep_up(handle.clone(), job).await,
        // Nothing is collected.
        None => std::future::pending().await,
    }
}
