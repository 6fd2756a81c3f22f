//! What has to be done now and then.

use std::time::Duration;

use store::{Actor, Store, StoreError};

/// How often: a log of a week grows by less than one part in a hundred in an hour.
const EVERY: Duration = Duration::from_secs(60 * 60);
/// How long changes stay in the log. A control plane that was away for longer reads everything again.
const CHANGES_KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Keeps house until it is dropped.
pub async fn run(store: Store) {
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        match prune(&store).await {
            Ok(removed) => tracing::debug!(removed, "old changes were removed from the log"),
            Err(error) => tracing::warn!(%error, "old changes could not be removed from the log"),
        }
    }
}

async fn prune(store: &Store) -> Result<u64, StoreError> {
    let mut tx = store.platform(&Actor::system("housekeeping")).await?;
    let removed = store::change::prune(&mut tx, CHANGES_KEPT).await?;
    tx.commit().await?;
    Ok(removed)
}
