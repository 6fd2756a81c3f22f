//! The usage service: takes the counts of the filter's worker VMs, and adds them to the sums in
//! PostgreSQL, each report exactly once ([`policy::usage`] says how).
//!
//! A report waits in a bounded queue for the [`Writer`], which adds all that wait in one
//! transaction; it is acknowledged when that has been committed. When PostgreSQL is away, or too
//! many reports wait, the answer is UNAVAILABLE, and the VM keeps the report and sends it again.
//!
//! Reports are not authenticated: a client that reaches the listener is taken for an Envoy, and
//! could make up usage. It has to stay on the network of the Envoys until the streams have
//! certificates. A report is bounded all the same: by its size, by the number that waits, and by
//! the checks in [`parse`].

pub mod parse;
mod report;
mod service;
mod writer;

use tokio::sync::mpsc;

pub use report::{WRITE_DURATION, describe};
pub use service::UsageServer;
pub use writer::{QueuedReports, Writer};

/// The number of reports that wait for the writer: those of 256 VMs at the same time, of at most 64
/// MiB.
const QUEUED_REPORTS: usize = 256;

/// The two ends of the queue of reports.
pub fn channel() -> (UsageServer, QueuedReports) {
    let (sender, receiver) = mpsc::channel(QUEUED_REPORTS);
    (UsageServer::new(sender), QueuedReports::new(receiver))
}
