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
    jobs.spawn(metrics::keep_up());
    jobs.spawn(prune::run(store.clone(), clock));
    jobs.spawn(erase_tenants::run(store.clone(), clock));
    jobs.spawn(note_audit_heads::run(store.clone(), clock));
    jobs
}
