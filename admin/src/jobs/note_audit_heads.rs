//! Copies of the heads of chains outside of the database.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use service::jobs::JobHandle;
use store::{Actor, Store, StoreError};

/// The time between two copies of the last hashes of the audit log into the service's log. They
/// tell if rows were cut off a chain, so rows of this time at most can go unnoticed.
const HEADS_EVERY: Duration = Duration::from_secs(5 * 60);
/// The time that each look covers once more: transactions that began before the last look and ended
/// after it.
const HEADS_OVERLAP: TimeDelta = TimeDelta::minutes(2);
/// The time that the first look goes back: a service that was away for longer says nothing new of
/// older chains.
const HEADS_AT_START: TimeDelta = TimeDelta::days(1);

/// Writes the heads of the chains that have grown into the log, for ever.
pub async fn run(store: Store, clock: fn() -> DateTime<Utc>, job: JobHandle) {
    let mut since = clock() - HEADS_AT_START;
    let mut ticks = tokio::time::interval(HEADS_EVERY);
    loop {
        ticks.tick().await;
        let now = clock();
        let outcome = heads(&store, since).await;
        job.note(&outcome);
        match outcome {
            Ok(()) => since = now - HEADS_OVERLAP,
            Err(error) => tracing::warn!(%error, "the heads of the audit log could not be read"),
        }
    }
}

async fn heads(store: &Store, since: DateTime<Utc>) -> Result<(), StoreError> {
    let mut tx = store.audit(&Actor::system("housekeeping")).await?;
    for head in store::audit::heads(&mut tx, since).await? {
        tracing::info!(
            audit_tenant = %head.tenant,
            audit_rows = head.seq,
            audit_head = head.hash,
            "audit head"
        );
    }
    Ok(())
}
