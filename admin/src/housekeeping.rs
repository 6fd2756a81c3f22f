//! What has to be done now and then.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use store::{Actor, Store, StoreError};

/// How often: a log of a week grows by less than one part in a hundred in an hour.
const EVERY: Duration = Duration::from_secs(60 * 60);
/// How long changes stay in the log. A control plane that was away for longer reads everything again.
const CHANGES_KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How long sums of usage are kept: for as long as they can be asked for ([`crate::limits::USAGE_SPAN`]), and a month to spare.
const USAGE_KEPT: Duration = Duration::from_secs(431 * 24 * 60 * 60);
/// How long it is known what worker VMs have reported: longer than the 31 days after which xds-server takes no usage any more,
/// so that nothing that comes again can count twice, the day by which an Envoy's clock may be ahead included.
const REPORTERS_KEPT: Duration = Duration::from_secs(35 * 24 * 60 * 60);

/// How often the last hashes of the audit log are copied into the service's log. What is cut off a chain can be told by them, so rows of
/// this time at most can go unnoticed.
const HEADS_EVERY: Duration = Duration::from_secs(5 * 60);
/// What is looked at once more each time: transactions that began before the last look and ended after it.
const HEADS_OVERLAP: TimeDelta = TimeDelta::minutes(2);
/// How far the first look goes back: a service that was away for longer says of older chains nothing new.
const HEADS_AT_START: TimeDelta = TimeDelta::days(1);

/// Writes the heads of the chains that have grown into the log, until it is dropped.
pub async fn note_heads(store: Store, clock: fn() -> DateTime<Utc>) {
    let mut since = clock() - HEADS_AT_START;
    let mut ticks = tokio::time::interval(HEADS_EVERY);
    loop {
        ticks.tick().await;
        let now = clock();
        match heads(&store, since).await {
            Ok(()) => since = now - HEADS_OVERLAP,
            Err(error) => tracing::warn!(%error, "the heads of the audit log could not be read"),
        }
    }
}

async fn heads(store: &Store, since: DateTime<Utc>) -> Result<(), StoreError> {
    let mut tx = store.audit(&Actor::system("housekeeping")).await?;
    for head in store::audit::heads(&mut tx, since).await? {
        tracing::info!(audit_tenant = %head.tenant, audit_rows = head.seq, audit_head = head.hash, "audit head");
    }
    Ok(())
}

/// Keeps house until it is dropped.
pub async fn run(store: Store) {
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        if let Err(error) = prune(&store).await {
            tracing::warn!(%error, "what is old could not be removed");
        }
    }
}

async fn prune(store: &Store) -> Result<(), StoreError> {
    let mut tx = store.platform(&Actor::system("housekeeping")).await?;
    let changes = store::change::prune(&mut tx, CHANGES_KEPT).await?;
    tx.commit().await?;
    let mut tx = store.platform(&Actor::system("housekeeping")).await?;
    let (usage_hours, usage_reporters) = store::usage::prune(&mut tx, USAGE_KEPT, REPORTERS_KEPT).await?;
    tx.commit().await?;
    tracing::debug!(changes, usage_hours, usage_reporters, "what is old was removed");
    Ok(())
}
