//! The HTTP listener for operators: health, readiness and metrics.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use service::prometheus::{self, BuildError, Histogram, PrometheusHandle};
use service::stop::{Stop, stopped};
use tokio::net::TcpListener;

use crate::cells::Cells;
use crate::freshness::Source;
use crate::report;

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
    let histograms = report::DURATIONS.map(|name| Histogram { name, buckets: &BUCKETS });
    let handle = prometheus::install(&histograms)?;
    report::describe();
    Ok(handle)
}

/// Serves `/healthz` (the process lives), `/readyz` (there is a state to serve) and `/metrics`
/// (Prometheus).
///
/// The stored state of an earlier run is a state to serve: `/readyz` answers 200, and its JSON says
/// `"source":"disk"`. A replica that serves it is of more use than none.
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

async fn ready(State(shared): State<Shared>) -> (StatusCode, Json<Value>) {
    let (ready, freshness) = (shared.cells.is_loaded(), shared.cells.freshness());
    let mut body = json!({
        "ready": ready,
        "source": "nothing",
        "postgresql": if freshness.is_connected() { "connected" } else { "away" },
        "seq": shared.cells.seq(),
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

/// Folds collected samples into their buckets every few seconds; they would pile up between two
/// scrapes.
async fn keep_up(metrics: PrometheusHandle) {
    let mut ticks = tokio::time::interval(UPKEEP);
    loop {
        ticks.tick().await;
        metrics.run_upkeep();
    }
}
