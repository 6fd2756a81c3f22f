//! The side of the set that a job sees.

use std::sync::Arc;

use super::spec::JobSpec;
use super::state::JobState;
use crate::ambient::Clock;
use crate::stop::{self, Stop};

/// The handle by which a job says how it fares, and learns that it has to end. Cheap to clone.
#[derive(Clone, Debug)]
pub struct JobHandle {
    pub(super) state: Arc<JobState>,
    pub(super) stop: Stop,
    pub(super) clock: Clock,
}

impl JobHandle {
    /// A handle of a job that no set supervises, for tests that drive the job's function
    /// themselves.
    pub fn unsupervised(name: &'static str, stop: Stop, clock: Clock) -> Self {
        let state = Arc::new(JobState::new(&JobSpec::new(name)));
        Self { state, stop, clock }
    }

    /// Notes that a round of work succeeded.
    pub fn succeeded(&self) {
        self.state.succeeded((self.clock)());
    }

    /// Notes that a round of work failed. It logs nothing: the job knows what to say about it.
    pub fn failed(&self) {
        self.state.failed();
    }

    /// Notes how a round of work ended.
    pub fn note<T, E>(&self, round: &Result<T, E>) {
        match round {
            Ok(_) => self.succeeded(),
            Err(_) => self.failed(),
        }
    }

    /// Notes how much work waits.
    pub fn backlog(&self, waiting: usize) {
        self.state.backlog(waiting.try_into().unwrap_or(u64::MAX));
    }

    /// Waits until the job is told to end. Only [`graceful`](super::JobSpec::graceful) jobs need
    /// it.
    pub async fn stopped(&self) {
        stop::stopped(self.stop.clone()).await;
    }

    /// Returns the signal that tells the job to end, to hand on.
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }
}
