//! `GET /metrics`.

use axum::http::header;
use axum::response::IntoResponse;

/// Metrics in Prometheus' text format.
///
/// No label names a tenant.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    tag = "Service",
    responses(
        (
            status = 200,
            description = "Counts and latencies by route and status.",
            body = String,
            content_type = "text/plain",
        ),
    ),
)]
pub(crate) async fn metrics() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], crate::metrics::render())
}
