//! The ends of jobs, as the job and the program say them.

use std::fmt;

use thiserror::Error;

pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The error with which a job ends. Any error becomes one by `?`; a job that was spawned with
/// [`Jobs::spawn`](super::Jobs::spawn) is then started again.
pub struct JobError {
    pub(super) source: BoxError,
    pub(super) fatal: bool,
}

impl JobError {
    /// An error that no waiting makes good: it ends the program.
    pub fn fatal(error: impl Into<BoxError>) -> Self {
        Self { source: error.into(), fatal: true }
    }
}

impl<E: Into<BoxError>> From<E> for JobError {
    fn from(error: E) -> Self {
        Self { source: error.into(), fatal: false }
    }
}

impl fmt::Debug for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.source, f)
    }
}

/// The output of a job's future: nothing, or a result.
pub trait JobOutcome {
    /// Returns the error with which the job ended, if it did.
    fn into_result(self) -> Result<(), JobError>;
}

impl JobOutcome for () {
    fn into_result(self) -> Result<(), JobError> {
        Ok(())
    }
}

impl<E: Into<JobError>> JobOutcome for Result<(), E> {
    fn into_result(self) -> Result<(), JobError> {
        self.map_err(Into::into)
    }
}

/// The end of a job that ends the program.
#[derive(Debug, Error)]
pub enum FatalEnd {
    /// It has returned, though nothing told it to end.
    #[error("the job `{job}` has ended, though it should run as long as the program")]
    Returned {
        /// Its name.
        job: &'static str,
    },
    /// It has returned an error.
    #[error("the job `{job}` cannot go on")]
    Failed {
        /// Its name.
        job: &'static str,
        /// The error.
        source: BoxError,
    },
    /// It has panicked.
    #[error("the job `{job}` has panicked: {message}")]
    Panicked {
        /// Its name.
        job: &'static str,
        /// The text of the panic.
        message: String,
    },
}
