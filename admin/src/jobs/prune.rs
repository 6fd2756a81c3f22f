//! Removes rows whose time is over.

use std::time::Duration;

use chrono::{DateTime, Utc};
use service::jobs::JobHandle;
use store::{Actor, Store, StoreError};

use super::disposable::{Disposable, dispose};
use crate::metrics;

/// The time between two runs: a log of a week grows by less than one part in a hundred in an hour.
const EVERY: Duration = Duration::from_secs(60 * 60);
/// The time that changes stay in the log. A control plane that was away for longer reads everything
/// again.
const CHANGES_KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// The time that sums of usage are kept: for as long as they can be asked for
/// ([`crate::bounds::USAGE_SPAN`]), and a month to spare.
const USAGE_KEPT: Duration = Duration::from_secs(431 * 24 * 60 * 60);
/// The time that reports of worker VMs are remembered: longer than the 31 days after which
/// xds-server takes no usage any more, so that no report can count twice, the day by which an
/// Envoy's clock may be ahead included.
const REPORTERS_KEPT: Duration = Duration::from_secs(35 * 24 * 60 * 60);

/// Prunes every hour, for ever.
pub async fn run(store: Store, clock: fn() -> DateTime<Utc>, job: JobHandle) {
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        let outcome = prune(&store, clock()).await;
        job.note(&outcome);
        if let Err(error) = outcome {
            tracing::warn!(%error, "old rows could not be removed");
        }
    }
}

async fn prune(store: &Store, now: DateTime<Utc>) -> Result<(), StoreError> {
    let mut tx = store.platform(&Actor::system("housekeeping")).await?;
    let changes = store::change::prune(&mut tx, CHANGES_KEPT).await?;
    tx.commit().await?;
    let mut tx = store.platform(&Actor::system("housekeeping")).await?;
    let (usage_hours, usage_reporters) =
        store::usage::prune(&mut tx, USAGE_KEPT, REPORTERS_KEPT).await?;
    tx.commit().await?;
    tracing::debug!(changes, usage_hours, usage_reporters, "old rows were removed");
    for kind in Disposable::ALL {
        // A kind that cannot be removed does not keep the others.
        match dispose(store, kind, now).await {
            Ok(removed) => metrics::disposed(kind.name(), removed),
            Err(error) => {
                tracing::warn!(%error, kind = kind.name(), "old rows could not be removed")
            }
        }
    }
    Ok(())
}
