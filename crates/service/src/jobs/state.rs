//! The state of a job, and the snapshot of all of them.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde::Serialize;

use super::report;
use super::spec::JobSpec;

/// The stage of a job's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JobPhase {
    /// It runs.
    Running,
    /// It has ended unasked, and waits to be started again.
    Restarting,
    /// It has ended as it should: its work is done, or the program stops.
    Done,
    /// It has ended unasked, and is not started again: the program ends.
    Failed,
}

/// The state of one job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JobStatus {
    /// Its name.
    pub job: &'static str,
    /// The stage of its life.
    pub phase: JobPhase,
    /// The time of its last success, in milliseconds since 1970.
    pub last_success_at_ms: Option<u64>,
    /// Rounds that failed, and ends that were not asked for, since the program's start.
    pub failures: u64,
    /// Restarts since the program's start.
    pub restarts: u64,
    /// The amount of work that waits; absent for jobs in which none piles up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backlog: Option<u64>,
    #[serde(skip)]
    pub(super) serving: bool,
}

impl JobStatus {
    fn is_healthy(&self) -> bool {
        matches!(self.phase, JobPhase::Running | JobPhase::Done)
    }
}

/// The state of all jobs of a program, in the order of their names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JobsSnapshot {
    /// False while a job waits to be started again or has failed.
    pub healthy: bool,
    /// The jobs.
    pub jobs: Vec<JobStatus>,
}

impl JobsSnapshot {
    pub(super) fn of(mut jobs: Vec<JobStatus>) -> Self {
        jobs.sort_by_key(|status| status.job);
        Self { healthy: jobs.iter().all(JobStatus::is_healthy), jobs }
    }

    /// Returns false while a job that requests depend on does not run
    /// ([`JobSpec::serving`]); `/readyz` answers 503 then.
    pub fn is_ready(&self) -> bool {
        self.jobs.iter().all(|status| !status.serving || status.phase == JobPhase::Running)
    }
}

/// A line for each job, for a `/readyz` in plain text.
impl fmt::Display for JobsSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for status in &self.jobs {
            let phase = match status.phase {
                JobPhase::Running => "running",
                JobPhase::Restarting => "restarting",
                JobPhase::Done => "done",
                JobPhase::Failed => "failed",
            };
            write!(f, "{} {phase} failures={}", status.job, status.failures)?;
            write!(f, " restarts={}", status.restarts)?;
            if let Some(at_ms) = status.last_success_at_ms {
                write!(f, " last_success_at_ms={at_ms}")?;
            }
            if let Some(backlog) = status.backlog {
                write!(f, " backlog={backlog}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// The state of a job, shared by its handle, its supervisor and the set. Each change is in the
/// metrics at once.
#[derive(Debug)]
pub(super) struct JobState(Mutex<JobStatus>);

impl JobState {
    pub(super) fn new(spec: &JobSpec) -> Self {
        report::register(spec.name);
        Self(Mutex::new(JobStatus {
            job: spec.name,
            phase: JobPhase::Running,
            last_success_at_ms: None,
            failures: 0,
            restarts: 0,
            backlog: None,
            serving: spec.serving,
        }))
    }

    pub(super) fn status(&self) -> JobStatus {
        self.lock().clone()
    }

    pub(super) fn enter(&self, phase: JobPhase) {
        let mut status = self.lock();
        if status.phase == JobPhase::Restarting && phase == JobPhase::Running {
            status.restarts += 1;
            report::restarted(status.job);
        }
        status.phase = phase;
        report::running(status.job, phase == JobPhase::Running);
    }

    pub(super) fn succeeded(&self, at: SystemTime) {
        let since_1970 = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut status = self.lock();
        status.last_success_at_ms = u64::try_from(since_1970.as_millis()).ok();
        report::succeeded(status.job, since_1970);
    }

    pub(super) fn failed(&self) {
        let mut status = self.lock();
        status.failures += 1;
        report::failed(status.job);
    }

    pub(super) fn backlog(&self, waiting: u64) {
        let mut status = self.lock();
        status.backlog = Some(waiting);
        report::backlog(status.job, waiting);
    }

    fn lock(&self) -> MutexGuard<'_, JobStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
