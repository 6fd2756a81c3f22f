//! The set of jobs.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{Instrument as _, warn};

use super::end::{FatalEnd, JobOutcome};
use super::fatal::Fatal;
use super::handle::JobHandle;
use super::spec::{JobSpec, SPAN_TARGET};
use super::state::{JobState, JobsSnapshot};
use super::supervise::{Start, Supervisor};
use crate::ambient::{Clock, Random};
use crate::stop::Stop;

/// The supervised set of a program's background tasks. Clones are the same set. Without
/// [`shut_down`](Self::shut_down), the jobs are told to end when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Jobs(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    stop: watch::Sender<bool>,
    fatal: Arc<Fatal>,
    clock: Clock,
    random: Random,
    jobs: Mutex<Vec<Job>>,
    #[cfg(feature = "fault-injection")]
    faults: super::faults::Faults,
}

struct Job {
    state: Arc<JobState>,
    name: &'static str,
    /// Taken when the set is shut down.
    task: Option<JoinHandle<()>>,
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Jobs {
    /// An empty set. `clock` dates successes, and `random` is the jitter of restarts.
    pub fn new(clock: Clock, random: Random) -> Self {
        Self(Arc::new(Inner {
            stop: watch::Sender::new(false),
            fatal: Arc::default(),
            clock,
            random,
            jobs: Mutex::default(),
            #[cfg(feature = "fault-injection")]
            faults: super::faults::Faults::from_env(),
        }))
    }

    /// Runs a job that is started again whenever it ends: `start` makes its future for each start.
    /// An end with [`JobError::fatal`](super::JobError::fatal) ends the program instead.
    ///
    /// # Panics
    /// Outside a tokio runtime, and when the set has a job of this name.
    pub fn spawn<W>(&self, spec: JobSpec, mut start: impl FnMut(JobHandle) -> W + Send + 'static)
    where
        W: Future<Output: JobOutcome> + Send + 'static,
    {
        self.supervise(spec, Start::Again(Box::new(move |job| Start::boxed(start(job)))));
    }

    /// Runs a job that the program cannot do without, and that cannot be started again: its end
    /// ends the program, unless it was told to end.
    ///
    /// # Panics
    /// Outside a tokio runtime, and when the set has a job of this name.
    pub fn spawn_essential<W>(
        &self,
        spec: JobSpec,
        start: impl FnOnce(JobHandle) -> W + Send + 'static,
    ) where
        W: Future<Output: JobOutcome> + Send + 'static,
    {
        self.supervise(spec, Start::Essential(Box::new(move |job| Start::boxed(start(job)))));
    }

    /// Runs a job whose work is done at some time. An error or a panic ends the program.
    ///
    /// # Panics
    /// Outside a tokio runtime, and when the set has a job of this name.
    pub fn spawn_once<W>(&self, spec: JobSpec, start: impl FnOnce(JobHandle) -> W + Send + 'static)
    where
        W: Future<Output: JobOutcome> + Send + 'static,
    {
        self.supervise(spec, Start::Once(Box::new(move |job| Start::boxed(start(job)))));
    }

    fn supervise(&self, spec: JobSpec, start: Start) {
        let mut jobs = self.lock();
        assert!(
            jobs.iter().all(|job| job.name != spec.name),
            "two jobs are called `{}`: give one another name",
            spec.name
        );
        let state = Arc::new(JobState::new(&spec));
        let supervisor = Supervisor {
            spec,
            handle: JobHandle { state: Arc::clone(&state), stop: self.stop(), clock: self.0.clock },
            random: self.0.random,
            fatal: Arc::clone(&self.0.fatal),
            #[cfg(feature = "fault-injection")]
            faults: self.0.faults.of(spec.name),
        };
        // Its level keeps the name in every line of the job, whatever `--log` says.
        let span = tracing::error_span!(target: SPAN_TARGET, "job", job = spec.name);
        let task = tokio::spawn(supervisor.run(start).instrument(span));
        jobs.push(Job { state, name: spec.name, task: Some(task) });
    }

    /// Returns the signal that tells all jobs to end, for what is not a job but ends with them.
    pub fn stop(&self) -> Stop {
        self.0.stop.subscribe()
    }

    /// Waits for the first end of a job that ends the program. One caller at a time.
    pub async fn fatal(&self) -> FatalEnd {
        self.0.fatal.take().await
    }

    /// Returns the state of all jobs.
    pub fn snapshot(&self) -> JobsSnapshot {
        JobsSnapshot::of(self.lock().iter().map(|job| job.state.status()).collect())
    }

    /// Tells all jobs to end, and waits for them for `grace` in all. Returns the names of those
    /// that are late; they are aborted, and the log names them.
    pub async fn shut_down(&self, grace: Duration) -> Vec<&'static str> {
        let deadline = Instant::now() + grace;
        self.0.stop.send_replace(true);
        let tasks: Vec<_> =
            self.lock().iter_mut().filter_map(|job| Some((job.name, job.task.take()?))).collect();
        let mut late = Vec::new();
        for (job, mut task) in tasks {
            if tokio::time::timeout_at(deadline, &mut task).await.is_err() {
                task.abort();
                warn!(job, grace_ms = grace.as_millis(), "a job did not end in time");
                late.push(job);
            }
        }
        late
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Job>> {
        self.0.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
