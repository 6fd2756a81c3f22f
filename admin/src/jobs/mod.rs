//! Jobs: loops that run beside the requests, all in one supervised set ([`service::jobs`]). Each
//! restarts when it ends; `/readyz` and the metrics show its state.

pub mod deliver_mail;
pub mod disposable;
pub mod erase_tenants;
pub mod note_audit_heads;
pub mod prune;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use service::jobs::{JobSpec, Jobs};
use store::Store;

use self::deliver_mail::Mailer;
use crate::last_used::Notes;
use crate::metrics;
use crate::receipt::Acks;

/// Starts the jobs of the program that no request waits for.
pub fn start(jobs: &Jobs, store: &Store, mailer: Option<Mailer>, clock: fn() -> DateTime<Utc>) {
    if let Some(mailer) = mailer {
        jobs.spawn(JobSpec::new("deliver_mail"), move |job| mailer.clone().run(job));
    }
    jobs.spawn(JobSpec::new("metrics_upkeep"), metrics::keep_up);
    let pruned = store.clone();
    jobs.spawn(JobSpec::new("prune"), move |job| prune::run(pruned.clone(), clock, job));
    let erased = store.clone();
    jobs.spawn(JobSpec::new("erase_tenants"), move |job| {
        erase_tenants::run(erased.clone(), clock, job)
    });
    let noted = store.clone();
    jobs.spawn(JobSpec::new("note_audit_heads"), move |job| {
        note_audit_heads::run(noted.clone(), clock, job)
    });
}

/// Starts the jobs to which requests hand work.
pub fn start_for_requests(jobs: &Jobs, store: &Store, acks: &Arc<Acks>, notes: Notes) {
    let (acks, streams) = (Arc::clone(acks), store.clone());
    jobs.spawn(JobSpec::new("read_acks"), move |job| Arc::clone(&acks).run(streams.clone(), job));
    let store = store.clone();
    jobs.spawn(JobSpec::new("note_token_use"), move |job| notes.clone().write(store.clone(), job));
}
