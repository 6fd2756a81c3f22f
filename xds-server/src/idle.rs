//! Looks, from time to time, which sites are in use, so that Envoys let go of the others.
//!
//! Nothing is evicted while the database does not answer: without it the sites in use are unknown,
//! and an Envoy should keep all it has while the control plane is not well.

use std::sync::Arc;
use std::time::{Duration, Instant};

use service::flags::DatabaseUrl;
use service::jobs::JobHandle;
use store::{Reader, StoreError, usage};
use tracing::warn;

use crate::cells::Cells;

/// One, for one statement now and then.
const CONNECTIONS: u32 = 1;

/// Tells the streams of all cells which sites were used, once in each `interval`, for ever. A site
/// that an Envoy had at the look before, and that was not used since, is evicted: so it has been
/// idle for `interval` at least, and for twice that at most.
pub async fn watch(
    cells: Arc<Cells>,
    database_url: DatabaseUrl,
    interval: Duration,
    job: JobHandle,
) {
    let mut last = Instant::now();
    loop {
        tokio::time::sleep(interval).await;
        let now = Instant::now();
        let outcome = look(&cells, &database_url, now - last).await;
        job.note(&outcome);
        match outcome {
            Ok(()) => last = now,
            Err(error) => warn!(
                %error,
                "it is not known which sites are in use, so Envoys keep all they have"
            ),
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
