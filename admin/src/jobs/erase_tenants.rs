//! Erases closed tenants once their grace is over.

use std::time::Duration;

use chrono::{DateTime, Utc};
use service::jobs::JobHandle;
use store::{Actor, Store, StoreError};

/// The time between two looks for tenants whose time is over: they were told the minute.
const ERASE_EVERY: Duration = Duration::from_secs(60);

/// Erases closed tenants once their time is over, for ever.
pub async fn run(store: Store, clock: fn() -> DateTime<Utc>, job: JobHandle) {
    let mut ticks = tokio::time::interval(ERASE_EVERY);
    loop {
        ticks.tick().await;
        let outcome = erase_closed(&store, clock()).await;
        job.note(&outcome);
        if let Err(error) = outcome {
            tracing::warn!(%error, "a closed tenant could not be erased");
        }
    }
}

/// Erases the closed tenants whose time is over at `now`, each in a transaction of its own.
pub async fn erase_closed(store: &Store, now: DateTime<Utc>) -> Result<(), StoreError> {
    let actor = Actor::system("erase");
    let mut tx = store.platform(&actor).await?;
    let closed = store::tenant::closed(&mut tx, now).await?;
    drop(tx);
    for tenant in closed {
        let mut tx = store.platform(&actor).await?;
        if store::tenant::erase(&mut tx, tenant, now).await? {
            tx.commit().await?;
            tracing::info!(%tenant, "a closed tenant was erased");
        }
    }
    Ok(())
}
