//! The metrics of jobs.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

const RUNNING: &str = "tenantry_job_running";
const LAST_SUCCESS: &str = "tenantry_job_last_success_timestamp_seconds";
const FAILURES: &str = "tenantry_job_failures_total";
const RESTARTS: &str = "tenantry_job_restarts_total";
const BACKLOG: &str = "tenantry_job_backlog";

/// Describes the metrics of jobs to the recorder of the process.
/// [`prometheus::install`](crate::prometheus::install) calls it.
pub fn describe() {
    describe_gauge!(RUNNING, "1 while the job runs, 0 while it waits for a restart or has ended.");
    describe_gauge!(
        LAST_SUCCESS,
        Unit::Seconds,
        "The time of the job's last success, in seconds since 1970; absent before the first."
    );
    describe_counter!(
        FAILURES,
        "Rounds of the job that failed, and ends of it that were not asked for."
    );
    describe_counter!(RESTARTS, "Restarts of the job after an end that was not asked for.");
    describe_gauge!(
        BACKLOG,
        "The amount of work that waits for the job; absent for jobs in which none piles up."
    );
}

/// Makes the counters of a job visible before they count.
pub(super) fn register(job: &'static str) {
    counter!(FAILURES, "job" => job).increment(0);
    counter!(RESTARTS, "job" => job).increment(0);
}

pub(super) fn running(job: &'static str, runs: bool) {
    gauge!(RUNNING, "job" => job).set(if runs { 1.0 } else { 0.0 });
}

pub(super) fn succeeded(job: &'static str, since_1970: Duration) {
    gauge!(LAST_SUCCESS, "job" => job).set(since_1970);
}

pub(super) fn failed(job: &'static str) {
    counter!(FAILURES, "job" => job).increment(1);
}

pub(super) fn restarted(job: &'static str) {
    counter!(RESTARTS, "job" => job).increment(1);
}

pub(super) fn backlog(job: &'static str, waiting: u64) {
    gauge!(BACKLOG, "job" => job).set(waiting as f64);
}
