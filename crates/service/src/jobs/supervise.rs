//! The life of one job: run it, look at its end, start it again or report it.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::time::Instant;
use tracing::{error, info};

use super::backoff::Delays;
use super::end::{BoxError, FatalEnd, JobError, JobOutcome};
use super::fatal::Fatal;
use super::handle::JobHandle;
use super::spec::JobSpec;
use super::state::JobPhase;
use crate::ambient::Random;
use crate::stop;

/// Makes the future of a job.
pub(super) enum Start {
    Again(Box<dyn FnMut(JobHandle) -> Work + Send>),
    Essential(Box<dyn FnOnce(JobHandle) -> Work + Send>),
    Once(Box<dyn FnOnce(JobHandle) -> Work + Send>),
}

type Work = BoxFuture<'static, Result<(), JobError>>;

impl Start {
    pub(super) fn boxed(work: impl Future<Output: JobOutcome> + Send + 'static) -> Work {
        work.map(JobOutcome::into_result).boxed()
    }
}

/// The way in which a run of a job ended.
enum End {
    /// The program stops.
    Stopped,
    Returned,
    Failed(BoxError),
    Fatal(BoxError),
    Panicked(String),
}

impl End {
    fn of(outcome: Result<Result<(), JobError>, Box<dyn Any + Send>>) -> Self {
        match outcome {
            Ok(Ok(())) => Self::Returned,
            Ok(Err(JobError { source, fatal: false })) => Self::Failed(source),
            Ok(Err(JobError { source, fatal: true })) => Self::Fatal(source),
            Err(panic) => Self::Panicked(message_of(&*panic)),
        }
    }

    fn into_fatal(self, job: &'static str) -> FatalEnd {
        match self {
            Self::Stopped | Self::Returned => FatalEnd::Returned { job },
            Self::Failed(source) | Self::Fatal(source) => FatalEnd::Failed { job, source },
            Self::Panicked(message) => FatalEnd::Panicked { job, message },
        }
    }
}

/// The text of a panic: `panic!` carries a `&str` or a `String`.
fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a text").to_owned()
}

/// The supervisor of one job.
pub(super) struct Supervisor {
    pub(super) spec: JobSpec,
    pub(super) handle: JobHandle,
    pub(super) random: Random,
    pub(super) fatal: Arc<Fatal>,
    #[cfg(feature = "fault-injection")]
    pub(super) faults: super::faults::FaultsOfJob,
}

impl Supervisor {
    pub(super) async fn run(self, start: Start) {
        match start {
            Start::Again(start) => self.run_again_and_again(start).await,
            Start::Essential(start) => {
                let end = self.run_once(start).await;
                self.settle(end, false);
            }
            Start::Once(start) => {
                let end = self.run_once(start).await;
                self.settle(end, true);
            }
        }
    }

    async fn run_again_and_again(&self, mut start: Box<dyn FnMut(JobHandle) -> Work + Send>) {
        let mut delays = Delays::new(self.spec.backoff);
        loop {
            let begun = Instant::now();
            let end = self.run_once(&mut start).await;
            if matches!(end, End::Stopped | End::Fatal(_)) {
                return self.settle(end, false);
            }
            self.handle.state.failed();
            self.handle.state.enter(JobPhase::Restarting);
            let delay = delays.next(begun.elapsed(), (self.random)());
            self.log_restart(&end, delay.as_millis());
            tokio::select! {
                () = self.handle.stopped() => return self.settle(End::Stopped, false),
                () = tokio::time::sleep(delay) => {}
            }
        }
    }

    /// Runs the job until it ends, or until it is told to end and is not one that ends by itself.
    async fn run_once(&self, start: impl FnOnce(JobHandle) -> Work) -> End {
        self.handle.state.enter(JobPhase::Running);
        let work = async { self.exposed(start(self.handle.clone())).await };
        // A job that panics has left its own state behind, which the next start makes anew; what it
        // shares is behind locks that survive a panic.
        let mut work = std::pin::pin!(AssertUnwindSafe(work).catch_unwind());
        let outcome = if self.spec.graceful {
            work.await
        } else {
            tokio::select! {
                biased;
                () = self.handle.stopped() => return End::Stopped,
                outcome = &mut work => outcome,
            }
        };
        match End::of(outcome) {
            End::Returned if stop::is_stopped(&self.handle.stop) => End::Stopped,
            end => end,
        }
    }

    #[cfg(not(feature = "fault-injection"))]
    fn exposed(&self, work: Work) -> Work {
        work
    }

    #[cfg(feature = "fault-injection")]
    fn exposed(&self, work: Work) -> Work {
        self.faults.expose(work)
    }

    /// Notes the last end of the job; `may_return` if its work may be done.
    fn settle(&self, end: End, may_return: bool) {
        let job = self.spec.name;
        match end {
            End::Stopped => self.handle.state.enter(JobPhase::Done),
            End::Returned if may_return => {
                self.handle.state.enter(JobPhase::Done);
                info!("the job is done");
            }
            end => {
                self.handle.state.failed();
                self.handle.state.enter(JobPhase::Failed);
                let end = end.into_fatal(job);
                let cause = std::error::Error::source(&end).map(ToString::to_string);
                error!(error = %end, cause, "a job that the program needs has ended");
                self.fatal.put(end);
            }
        }
    }

    fn log_restart(&self, end: &End, restart_after_ms: u128) {
        match end {
            End::Failed(error) => {
                let cause = error.source().map(ToString::to_string);
                error!(%error, cause, restart_after_ms, "the job has failed; it is started again");
            }
            End::Panicked(message) => {
                error!(
                    panic = message,
                    restart_after_ms, "the job has panicked; it is started again"
                );
            }
            _ => error!(restart_after_ms, "the job has ended unasked; it is started again"),
        }
    }
}
