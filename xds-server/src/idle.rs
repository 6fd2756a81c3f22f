//! Looks, from time to time, which sites are in use, so that Envoys let go of the others.
//!
//! Nothing is evicted while the database does not answer: without it nobody knows what is in use,
//! and an Envoy should keep all it has while the control plane is not well.

use std::sync::Arc;
use std::time::{Duration, Instant};

use service::flags::DatabaseUrl;
use service::stop::{Stop, stopped};
use store::{Reader, StoreError, usage};
use tracing::warn;

use crate::cells::Cells;

/// One, for one statement now and then.
const CONNECTIONS: u32 = 1;

/// Tells the streams of all cells which sites were used, once in each `interval`, until told to
/// stop. A site that an Envoy had at the look before, and that was not used since, is evicted: so
/// it has been idle for `interval` at least, and for twice that at most.
pub async fn watch(cells: Arc<Cells>, database_url: DatabaseUrl, interval: Duration, stop: Stop) {
    tokio::select! {
        () = stopped(stop) => {}
        () = look_again_and_again(&cells, &database_url, interval) => {}
    }
}

async fn look_again_and_again(cells: &Cells, database_url: &DatabaseUrl, interval: Duration) {
    let mut last = Instant::now();
    loop {
        tokio::time::sleep(interval).await;
        let now = Instant::now();
        match look(cells, database_url, now - last).await {
            Ok(()) => last = now,
            Err(error) => {
                warn!(%error, "it is not known which sites are in use, so Envoys keep all they \
                    have")
            }
        }
    }
}

async fn look(
    cells: &Cells,
    database_url: &DatabaseUrl,
    within: Duration,
) -> Result<(), StoreError> {
    let reader = Reader::connect(database_url.reveal(), CONNECTIONS).await?;
    let used = Arc::new(usage::sites_used(&reader, within).await?);
    for (_, hub) in cells.hubs() {
        hub.used(Arc::clone(&used));
    }
    Ok(())
}
