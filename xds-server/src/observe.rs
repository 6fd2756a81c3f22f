//! The HTTP listener for operators: health, readiness and metrics.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;

use crate::cells::Cells;
use crate::grpc::{Stop, stopped};
use crate::{report, usage};

/// From one small site to a step of ten thousand changes.
const BUCKETS: [f64; 10] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 10.0];

/// A few thousand samples at the most lie waiting.
const UPKEEP: Duration = Duration::from_secs(5);

#[derive(Clone)]
struct Shared {
    cells: Arc<Cells>,
    metrics: PrometheusHandle,
}

/// Starts to collect metrics, for the whole process; once.
///
/// # Errors
/// If something collects them already.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(report::APPLY_DURATION.to_owned()), &BUCKETS)?
        .set_buckets_for_metric(Matcher::Full(report::CHANGE_LAG.to_owned()), &BUCKETS)?
        .set_buckets_for_metric(Matcher::Full(usage::WRITE_DURATION.to_owned()), &BUCKETS)?
        .set_buckets_for_metric(Matcher::Full(report::JWKS_DURATION.to_owned()), &BUCKETS)?
        .install_recorder()?;
    report::describe();
    usage::describe();
    Ok(handle)
}

/// Serves `/healthz` (the process lives), `/readyz` (the first load is complete) and `/metrics` (Prometheus).
///
/// # Errors
/// Those of the listening socket.
pub async fn serve(
    listener: TcpListener,
    cells: Arc<Cells>,
    metrics: PrometheusHandle,
    stop: Stop,
) -> std::io::Result<()> {
    let upkeep = tokio::spawn(keep_up(metrics.clone()));
    let router = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(async |State(shared): State<Shared>| shared.metrics.render()))
        .with_state(Shared { cells, metrics });
    let served = axum::serve(listener, router).with_graceful_shutdown(stopped(stop)).await;
    upkeep.abort();
    served
}

async fn ready(State(shared): State<Shared>) -> (StatusCode, &'static str) {
    if shared.cells.is_loaded() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready: nothing has been read from PostgreSQL yet\n")
    }
}

/// Folds collected samples into their buckets every few seconds; they would pile up between two scrapes.
async fn keep_up(metrics: PrometheusHandle) {
    let mut ticks = tokio::time::interval(UPKEEP);
    loop {
        ticks.tick().await;
        metrics.run_upkeep();
    }
}
