//! The supervised set in which every background task of a program runs.
//!
//! A job is a task with a name. The set notices its end, whatever the reason, and does one of three
//! things:
//!
//! | spawned with | the job returns | the job returns an error | the job panics |
//! |---|---|---|---|
//! | [`Jobs::spawn`] | restarted | restarted; [`JobError::fatal`] ends the program | restarted |
//! | [`Jobs::spawn_essential`] | ends the program | ends the program | ends the program |
//! | [`Jobs::spawn_once`] | done | ends the program | ends the program |
//!
//! "Ends the program" means that [`Jobs::fatal`] returns the reason; `main` waits for it beside the
//! signals, and returns it as its error. A restart waits for 1 second at first, doubled with each
//! restart that follows, 60 seconds at most, less up to half by chance so that replicas do not
//! restart in step. A job that has run for 60 seconds begins at 1 second again. Every end that was
//! not asked for is logged with the job's name.
//!
//! # Adding a job
//! 1. Write an async function that takes a [`JobHandle`] and loops for ever. After each round it
//!    calls [`JobHandle::succeeded`] or [`JobHandle::failed`], or [`JobHandle::note`] with the
//!    result of the round; if work can pile up, it calls [`JobHandle::backlog`] too.
//! 2. An error of one round is no reason to return: log it, call `failed`, and go on. Return an
//!    error when the job has to begin anew, [`JobError::fatal`] when no waiting helps.
//! 3. Spawn it where the others of the program are: [`Jobs::spawn`] with a closure that makes the
//!    future anew for each start. Choose a name that says what the job does, in snake case, and add
//!    nothing to it that varies: it is a label of metrics.
//! 4. Choose [`JobSpec::graceful`] if it has something to finish when the program stops. All other
//!    jobs are dropped at their next `await`.
//! 5. Choose [`JobSpec::serving`] only if requests fail without it.
//!
//! # State
//! [`Jobs::snapshot`] is what `/readyz` shows: for each job its phase, the time of its last
//! success, and the numbers of failures and restarts. The program is unready while a
//! [`serving`](JobSpec::serving) job does not run. Other jobs do not make it unready: a defect in
//! one of them is the same in all replicas, and would take all of them away from the requests that
//! they can answer.
//!
//! The same is in metrics, labelled by `job`: `tenantry_job_running`,
//! `tenantry_job_last_success_timestamp_seconds`, `tenantry_job_failures_total`,
//! `tenantry_job_restarts_total`, `tenantry_job_backlog`.
//!
//! # Stop
//! [`Jobs::shut_down`] tells all jobs to end. Graceful ones have until the end of the grace time;
//! the log names each that is late, and it is aborted.

mod backoff;
mod end;
mod fatal;
#[cfg(feature = "fault-injection")]
pub mod faults;
mod handle;
mod report;
mod set;
mod spec;
mod state;
mod supervise;
#[cfg(test)]
mod tests;

pub use backoff::Backoff;
pub use end::{FatalEnd, JobError, JobOutcome};
pub use handle::JobHandle;
pub use report::describe as describe_metrics;
pub use set::Jobs;
pub use spec::JobSpec;
pub(crate) use spec::SPAN_TARGET;
pub use state::{JobPhase, JobStatus, JobsSnapshot};
