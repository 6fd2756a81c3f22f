//! The one task that writes: all reports that wait, in one transaction.
//!
//! One transaction for each report would make the reports of all VMs wait for each other's rows,
//! for they are of the same consumers and hours. Together they touch each row once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use service::flags::DatabaseUrl;
use service::jobs::{JobError, JobHandle};
use store::StoreError;
use store::usage::{Ledger, Recorded, Report};
use tokio::sync::{Mutex, OwnedMutexGuard, mpsc, oneshot};

use super::parse::Parsed;
use super::report;

/// The most entries of one transaction. It takes PostgreSQL some 100 ms to write so many.
const BATCH_ENTRIES: usize = 8 * policy::usage::MAX_REPORT_ENTRIES;
/// The most reports of one transaction, if they are small.
const BATCH_REPORTS: usize = 64;
/// One transaction at a time.
const CONNECTIONS: u32 = 1;
/// The pause before the next try after PostgreSQL could not be reached. Reports that come meanwhile
/// wait, or are turned away.
const PAUSE: Duration = Duration::from_secs(1);

/// Why a report was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unavailable;

/// A report that waits, and where its fate is awaited.
pub(super) struct Queued {
    pub(super) parsed: Parsed,
    pub(super) done: oneshot::Sender<Result<(), Unavailable>>,
}

/// The reports that wait. It outlives a [`Writer`], which has it while it runs.
#[derive(Clone)]
pub struct QueuedReports(Arc<Mutex<mpsc::Receiver<Queued>>>);

impl QueuedReports {
    pub(super) fn new(reports: mpsc::Receiver<Queued>) -> Self {
        Self(Arc::new(Mutex::new(reports)))
    }
}

/// Writes the reports that wait.
pub struct Writer {
    reports: OwnedMutexGuard<mpsc::Receiver<Queued>>,
    ledger: Option<Ledger>,
    /// The report that has to wait for the next transaction: a second one of a reporter of this
    /// one, or one too many.
    left_over: Option<Queued>,
}

impl Writer {
    /// A writer of these reports, once no other one has them. Reports that another one had taken
    /// are lost here; their VMs learn it, and send them again.
    pub async fn new(reports: QueuedReports) -> Self {
        Self { reports: reports.0.lock_owned().await, ledger: None, left_over: None }
    }

    /// Writes to the database at this URL until told to stop. Errors are logged and answered.
    ///
    /// # Errors
    /// [`StoreError::UnsafeRole`], which ends the program: no waiting makes that good.
    pub async fn run(mut self, database_url: DatabaseUrl, job: JobHandle) -> Result<(), JobError> {
        loop {
            let batch = tokio::select! {
                () = job.stopped() => return Ok(()),
                batch = self.batch() => batch,
            };
            if batch.is_empty() {
                return Ok(());
            }
            let start = Instant::now();
            let written = self.write(&database_url, &batch).await;
            job.note(&written);
            job.backlog(self.reports.len());
            match written {
                Ok(recorded) => settle(batch, &recorded, start),
                Err(error @ StoreError::UnsafeRole { .. }) => return Err(JobError::fatal(error)),
                Err(error) if error.is_unavailable() => {
                    fail(batch, &error);
                    tokio::select! {
                        () = job.stopped() => return Ok(()),
                        () = tokio::time::sleep(PAUSE) => {}
                    }
                }
                // One report that the database does not take must not hold up the others.
                Err(error) if batch.len() == 1 => fail(batch, &error),
                Err(_) => self.write_singly(&database_url, batch).await,
            }
        }
    }

    /// Waits for a report, and takes those that are there. Empty when no report can come any more.
    async fn batch(&mut self) -> Vec<Queued> {
        let first = match self.left_over.take() {
            Some(queued) => Some(queued),
            None => self.reports.recv().await,
        };
        let Some(first) = first else { return Vec::new() };
        let mut entries = first.parsed.report.entries.len();
        let mut reporters = BTreeSet::from([first.parsed.report.reporter]);
        let mut batch = vec![first];
        while batch.len() < BATCH_REPORTS {
            let Ok(next) = self.reports.try_recv() else { break };
            entries += next.parsed.report.entries.len();
            if entries > BATCH_ENTRIES || !reporters.insert(next.parsed.report.reporter) {
                self.left_over = Some(next);
                break;
            }
            batch.push(next);
        }
        batch
    }

    async fn write(
        &mut self,
        database_url: &DatabaseUrl,
        batch: &[Queued],
    ) -> Result<Recorded, StoreError> {
        let ledger = match &self.ledger {
            Some(ledger) => ledger.clone(),
            None => self
                .ledger
                .insert(Ledger::connect(database_url.reveal(), CONNECTIONS).await?)
                .clone(),
        };
        let reports: Vec<Report> =
            batch.iter().map(|queued| queued.parsed.report.clone()).collect();
        ledger.record(&reports).await
    }

    async fn write_singly(&mut self, database_url: &DatabaseUrl, batch: Vec<Queued>) {
        for queued in batch {
            let (one, start) = (vec![queued], Instant::now());
            match self.write(database_url, &one).await {
                Ok(recorded) => settle(one, &recorded, start),
                Err(error) => fail(one, &error),
            }
        }
    }
}

/// Acknowledges the reports that are in the sums. A reporter that has stopped waiting sends its
/// report again, and learns it then.
fn settle(batch: Vec<Queued>, recorded: &Recorded, start: Instant) {
    let new = batch.iter().zip(&recorded.added).filter(|(_, added)| **added);
    let requests = new.map(|(queued, _)| queued.parsed.requests).fold(0, u64::saturating_add);
    report::written(batch.len(), requests, recorded.unknown_requests, start.elapsed());
    for (queued, added) in batch.into_iter().zip(&recorded.added) {
        if *added {
            report::added(&queued.parsed);
        } else {
            report::repeated(&queued.parsed);
        }
        let _ = queued.done.send(Ok(()));
    }
}

fn fail(batch: Vec<Queued>, error: &StoreError) {
    report::unavailable(batch.len(), error);
    for queued in batch {
        let _ = queued.done.send(Err(Unavailable));
    }
}
