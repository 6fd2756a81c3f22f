//! The parts that every program of Tenantry has in common.
//!
//! - [`jobs`]: the supervised set in which all background tasks run.
//! - [`stop`]: the signal by which a task learns that it has to end.
//! - [`signals`]: SIGTERM and SIGINT.
//! - [`logging`]: the JSON log on standard error, and the hook that logs panics.
//! - [`traces`]: spans, exported by OTLP when a collector is set.
//! - [`prometheus`]: the recorder of metrics and its upkeep.
//! - [`ambient`]: the clock and random numbers.
//! - [`flags`]: command-line flags with one meaning in all programs.
//!
//! A program's `main` installs the log, runs its command, and flushes the traces
//! ([`logging::install`], [`traces::Traces::shut_down`]). Its `serve` has these steps, in this
//! order:
//!
//! ```no_run
//! use std::time::Duration;
//! use service::jobs::{JobHandle, JobSpec, Jobs};
//! use service::signals::ShutdownSignals;
//!
//! # async fn prune() -> Result<(), std::io::Error> { Ok(()) }
//! async fn prune_every_hour(job: JobHandle) {
//!     let mut ticks = tokio::time::interval(Duration::from_secs(3600));
//!     loop {
//!         ticks.tick().await;
//!         job.note(&prune().await);
//!     }
//! }
//!
//! async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//!     // Before anything that takes time, so that a signal during the start is not lost.
//!     let mut signals = ShutdownSignals::install()?;
//!     // Before the first job, so that no job's metrics are lost.
//!     let metrics = service::prometheus::install(&[])?;
//!     let jobs = Jobs::new(service::ambient::now, || 0.5);
//!     jobs.spawn(JobSpec::new("metrics_upkeep"), move |job| {
//!         service::prometheus::keep_up(metrics.clone(), job)
//!     });
//!     jobs.spawn(JobSpec::new("prune"), prune_every_hour);
//!     let outcome = tokio::select! {
//!         _ = signals.received() => Ok(()),
//!         fatal = jobs.fatal() => Err(fatal),
//!     };
//!     jobs.shut_down(Duration::from_secs(5)).await;
//!     Ok(outcome?)
//! }
//! ```

#![cfg_attr(not(test), deny(clippy::unwrap_used))]
#![warn(missing_docs)]

pub mod ambient;
pub mod flags;
pub mod jobs;
pub mod logging;
pub mod prometheus;
pub mod signals;
pub mod stop;
pub mod traces;
