//! Jobs: loops that run beside the requests.

pub mod deliver_mail;
pub mod disposable;
pub mod erase_tenants;
pub mod note_audit_heads;
pub mod prune;

use chrono::{DateTime, Utc};
use store::Store;
use tokio::task::JoinSet;

use self::deliver_mail::Mailer;
use crate::metrics;

/// Starts all jobs. They end when the set is dropped.
pub fn start(store: &Store, mailer: Option<Mailer>, clock: fn() -> DateTime<Utc>) -> JoinSet<()> {
    let mut jobs = JoinSet::new();
    if let Some(mailer) = mailer {
        jobs.spawn(mailer.run());
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
