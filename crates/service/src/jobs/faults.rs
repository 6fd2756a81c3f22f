//! Faults on demand, for tests that run the real program: a test makes an empty file in the folder
//! that `TENANTRY_FAULTS` names, `<job>.panic` or `<job>.end`, and the job of that name panics or
//! ends. The file is removed once the job has the fault.
//!
//! A folder, because it needs no listener of the program, no part of the runtime that a fault may
//! have hit, and no format: a file is there or not.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::end::JobError;

/// The variable that names the folder. Without it no fault is injected.
pub const VARIABLE: &str = "TENANTRY_FAULTS";
/// The text of an injected panic.
pub const PANIC: &str = "a fault was injected";

/// The time between two looks of a job for its files.
const POLL: Duration = Duration::from_millis(20);

/// The folder of faults.
#[derive(Clone, Debug)]
pub(super) struct Faults(Option<Arc<PathBuf>>);

impl Faults {
    pub(super) fn from_env() -> Self {
        Self(std::env::var_os(VARIABLE).map(|folder| Arc::new(folder.into())))
    }

    pub(super) fn of(&self, job: &'static str) -> FaultsOfJob {
        FaultsOfJob { folder: self.0.clone(), job }
    }
}

/// The faults of one job.
#[derive(Clone, Debug)]
pub(super) struct FaultsOfJob {
    folder: Option<Arc<PathBuf>>,
    job: &'static str,
}

impl FaultsOfJob {
    /// Runs the work until it ends or a fault ends it.
    pub(super) fn expose(
        &self,
        work: BoxFuture<'static, Result<(), JobError>>,
    ) -> BoxFuture<'static, Result<(), JobError>> {
        let faults = self.clone();
        async move {
            tokio::select! {
                outcome = work => outcome,
                () = faults.strike() => Ok(()),
            }
        }
        .boxed()
    }

    /// Waits for a fault; returns if it is an end.
    async fn strike(&self) {
        let Some(folder) = &self.folder else { return std::future::pending().await };
        loop {
            if std::fs::remove_file(folder.join(format!("{}.panic", self.job))).is_ok() {
                fall();
            }
            if std::fs::remove_file(folder.join(format!("{}.end", self.job))).is_ok() {
                return;
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

#[expect(clippy::panic, reason = "the panic is the fault")]
fn fall() {
    panic!("{PANIC}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_a_fault_of_its_job_alone() {
        let folder = tempfile::tempdir().unwrap();
        let faults = Faults(Some(Arc::new(folder.path().to_owned())));
        std::fs::write(folder.path().join("other.end"), "").unwrap();
        std::fs::write(folder.path().join("mine.end"), "").unwrap();
        let endless = || async { std::future::pending().await }.boxed();
        faults.of("mine").expose(endless()).await.unwrap();
        assert!(!folder.path().join("mine.end").exists());
        assert!(folder.path().join("other.end").exists());

        std::fs::write(folder.path().join("mine.panic"), "").unwrap();
        let task = tokio::spawn(faults.of("mine").expose(endless()));
        assert!(task.await.unwrap_err().is_panic());
    }
}
