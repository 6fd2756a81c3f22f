//! The HTTP listener for operators: health, readiness and metrics.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use service::jobs::Jobs;
use service::prometheus::{self, BuildError, Histogram, PrometheusHandle};
use service::stop::{Stop, stopped};
use tokio::net::TcpListener;

use crate::cells::Cells;
use crate::freshness::Source;
use crate::report;

/// From one small site to a step of ten thousand changes.
const BUCKETS: [f64; 10] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 10.0];

#[derive(Clone)]
struct Shared {
    cells: Arc<Cells>,
    jobs: Jobs,
    metrics: PrometheusHandle,
}

/// Starts to collect metrics, for the whole process; once.
///
/// # Errors
/// If something collects them already.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    let histograms = report::DURATIONS.map(|name| Histogram { name, buckets: &BUCKETS });
    let handle = prometheus::install(&histograms)?;
    report::describe();
    Ok(handle)
}

/// Serves `/healthz` (the process lives), `/readyz` (there is a state to serve) and `/metrics`
/// (Prometheus).
///
/// The stored state of an earlier run is a state to serve: `/readyz` answers 200, and its JSON says
/// `"source":"disk"`. A replica that serves it is of more use than none. For the same reason no job
/// that is restarted makes the program unready: without the follower the state gets old, without
/// the workers keys and addresses do, and Envoys are still better served by it than by nothing. A
/// defect in a job is the same in all replicas, and would take all of them away. The jobs without
/// which nothing can be served, `ads_server` and `observe_server`, end the program. The JSON has
/// the state of all jobs, in `jobs`, and `"jobs_healthy":false` while one of them does not run.
///
/// # Errors
/// Those of the listening socket.
pub async fn serve(
    listener: TcpListener,
    cells: Arc<Cells>,
    jobs: Jobs,
    metrics: PrometheusHandle,
    stop: Stop,
) -> std::io::Result<()> {
    let router = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(async |State(shared): State<Shared>| shared.metrics.render()))
        .with_state(Shared { cells, jobs, metrics });
    axum::serve(listener, router).with_graceful_shutdown(stopped(stop)).await
}

async fn ready(State(shared): State<Shared>) -> (StatusCode, Json<Value>) {
    let jobs = shared.jobs.snapshot();
    let (ready, freshness) =
        (shared.cells.is_loaded() && jobs.is_ready(), shared.cells.freshness());
    let mut body = json!({
        "ready": ready,
        "source": "nothing",
        "postgresql": if freshness.is_connected() { "connected" } else { "away" },
        "seq": shared.cells.seq(),
        "jobs_healthy": jobs.healthy,
        "jobs": jobs.jobs,
    });
    match freshness.source() {
        _ if !ready => {}
        Source::Disk { at_ms, .. } => {
            body["source"] = "disk".into();
            body["stored_at_ms"] = at_ms.into();
        }
        Source::Database | Source::Nothing => body["source"] = "postgresql".into(),
    }
    (if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(body))
}
