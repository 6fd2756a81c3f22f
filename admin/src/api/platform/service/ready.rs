//! `GET /readyz`.

use std::time::Duration;

use axum::extract::State;

use crate::app::App;
use crate::http::problem::request::UNAVAILABLE;
use crate::http::problem::{Problem, ProblemBody};

/// A probe that waits longer than its prober has said nothing.
const PROBE_TIME: Duration = Duration::from_secs(2);

/// Tells if the program can do its work: if the database answers.
///
/// Each line after the first names a job of the program, with its state, failures and restarts.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "ready",
    tag = "Service",
    responses(
        (status = 200, description = "It can serve.", body = String, content_type = "text/plain"),
        (
            status = 503,
            description = "The database does not answer.",
            body = ProblemBody,
            content_type = "application/problem+json",
        ),
    ),
)]
pub(crate) async fn ready(State(app): State<App>) -> Result<String, Problem> {
    let jobs = app.jobs.snapshot();
    match tokio::time::timeout(PROBE_TIME, app.store.ping()).await {
        Ok(Ok(())) if jobs.is_ready() => Ok(format!("ok\n{jobs}")),
        Ok(Ok(())) => Err(UNAVAILABLE.because("A job that requests need does not run.")),
        Ok(Err(_)) | Err(_) => Err(UNAVAILABLE.problem()),
    }
}
