//! The facts about a job that do not change.

use super::backoff::Backoff;

/// The target of the span in which each job runs. A trace has no use for a span that lasts as long
/// as the program.
pub(crate) const SPAN_TARGET: &str = "service::jobs";

/// The name of a job, and how it is started and stopped.
#[derive(Clone, Copy, Debug)]
pub struct JobSpec {
    pub(super) name: &'static str,
    pub(super) serving: bool,
    pub(super) graceful: bool,
    pub(super) backoff: Backoff,
}

impl JobSpec {
    /// A job that requests can do without, that is dropped at its next `await` when the program
    /// stops, and that restarts after [`Backoff::DEFAULT`]. The name is in snake case.
    pub const fn new(name: &'static str) -> Self {
        Self { name, serving: false, graceful: false, backoff: Backoff::DEFAULT }
    }

    /// Makes the program unready while the job does not run.
    pub const fn serving(self) -> Self {
        Self { serving: true, ..self }
    }

    /// Leaves it to the job to end when the program stops, within the grace time: it waits for
    /// [`JobHandle::stopped`](super::JobHandle::stopped) itself.
    pub const fn graceful(self) -> Self {
        Self { graceful: true, ..self }
    }

    /// Sets the time between its end and its restart.
    pub const fn backoff(self, backoff: Backoff) -> Self {
        Self { backoff, ..self }
    }
}
