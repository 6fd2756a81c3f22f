//! Answers on their way to the database, from which the next run of this program begins.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::counter;
use sha2::{Digest as _, Sha256};
use store::{Reader, StoreError, dns_cache};
use tokio::sync::Notify;
use tracing::warn;

use crate::config::DatabaseUrl;
use crate::grpc::{Stop, stopped};
use crate::report;

/// The SHA-256 of a name, by which the database knows it: what a tenant wrote stays in the tenant's own tables.
pub type NameDigest = [u8; 32];

/// How long to wait after an error of the database, doubled with each that follows.
const FIRST_DELAY: Duration = Duration::from_secs(1);
const LAST_DELAY: Duration = Duration::from_secs(60);
/// One, for one statement at a time.
const CONNECTIONS: u32 = 1;

/// What is to be written. While the database is away it waits: one entry for each name, so that it is bounded as they are.
#[derive(Debug, Default)]
pub struct Archive {
    /// The addresses of a name; none, and its row goes.
    pending: Mutex<BTreeMap<NameDigest, Option<Vec<IpAddr>>>>,
    news: Notify,
}

/// The digest of a name.
pub(super) fn digest(name: &str) -> NameDigest {
    Sha256::digest(name).into()
}

impl Archive {
    pub(super) fn put(&self, name: &str, addresses: Option<Vec<IpAddr>>) {
        self.lock().insert(digest(name), addresses);
        self.news.notify_one();
    }

    /// Writes to the database at this URL what comes, until told to stop. Errors are logged, and it tries again.
    pub async fn run(self: Arc<Self>, database_url: DatabaseUrl, stop: Stop) {
        tokio::select! {
            () = stopped(stop) => {}
            () = self.write(database_url.reveal()) => {}
        }
    }

    async fn write(&self, database_url: &str) {
        let mut reader = None;
        let mut delay = FIRST_DELAY;
        loop {
            self.news.notified().await;
            while let Some((digest, addresses)) = self.next() {
                let Err(error) = save(&mut reader, database_url, &digest, addresses.as_deref()).await else {
                    delay = FIRST_DELAY;
                    continue;
                };
                // What has come meanwhile is newer.
                self.lock().entry(digest).or_insert(addresses);
                counter!(report::DNS_SAVE_ERRORS).increment(1);
                warn!(%error, "the addresses of a name cannot be saved for the next start; it is tried again");
                tokio::time::sleep(delay).await;
                delay = (delay * 2).min(LAST_DELAY);
            }
        }
    }

    fn next(&self) -> Option<(NameDigest, Option<Vec<IpAddr>>)> {
        self.lock().pop_first()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<NameDigest, Option<Vec<IpAddr>>>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn save(
    reader: &mut Option<Reader>,
    database_url: &str,
    digest: &NameDigest,
    addresses: Option<&[IpAddr]>,
) -> Result<(), StoreError> {
    let reader = match reader {
        Some(reader) => reader,
        None => reader.insert(Reader::connect(database_url, CONNECTIONS).await?),
    };
    match addresses {
        Some(addresses) => dns_cache::put(reader, digest, addresses).await,
        None => dns_cache::remove(reader, digest).await,
    }
}
