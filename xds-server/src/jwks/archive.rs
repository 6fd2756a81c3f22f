//! Sets on their way to the database, from which the next run of this program begins.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use metrics::counter;
use sha2::{Digest as _, Sha256};
use store::{Reader, StoreError, jwks_cache};
use tokio::sync::Notify;
use tracing::warn;

use crate::config::DatabaseUrl;
use crate::grpc::{Stop, stopped};
use crate::report;

/// The SHA-256 of a URL, by which the database knows it: what a tenant wrote stays in the tenant's own tables.
pub type UrlDigest = [u8; 32];

/// How long to wait after an error of the database, doubled with each that follows.
const FIRST_DELAY: Duration = Duration::from_secs(1);
const LAST_DELAY: Duration = Duration::from_secs(60);
/// One, for one statement at a time.
const CONNECTIONS: u32 = 1;

/// What is to be written. While the database is away it waits: one entry for each URL, so that it is bounded as they are.
#[derive(Debug, Default)]
pub struct Archive {
    pending: Mutex<BTreeMap<UrlDigest, Entry>>,
    news: Notify,
}

/// What is to become of a URL's row.
#[derive(Clone, Debug)]
enum Entry {
    /// It holds this set.
    Set { set: Arc<str>, read_at: Instant, lifetime: Duration },
    /// It goes.
    Gone,
}

/// The digest of a URL.
pub(super) fn digest(url: &str) -> UrlDigest {
    Sha256::digest(url).into()
}

impl Archive {
    pub(super) fn put(&self, url: &str, set: Arc<str>, read_at: Instant, lifetime: Duration) {
        self.add(url, Entry::Set { set, read_at, lifetime });
    }

    pub(super) fn remove(&self, url: &str) {
        self.add(url, Entry::Gone);
    }

    fn add(&self, url: &str, entry: Entry) {
        self.lock().insert(digest(url), entry);
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
            while let Some((digest, entry)) = self.next() {
                let Err(error) = save(&mut reader, database_url, &digest, &entry).await else {
                    delay = FIRST_DELAY;
                    continue;
                };
                // What has come meanwhile is newer.
                self.lock().entry(digest).or_insert(entry);
                counter!(report::JWKS_SAVE_ERRORS).increment(1);
                warn!(%error, "a JWK Set cannot be saved for the next start; it is tried again");
                tokio::time::sleep(delay).await;
                delay = (delay * 2).min(LAST_DELAY);
            }
        }
    }

    fn next(&self) -> Option<(UrlDigest, Entry)> {
        self.lock().pop_first()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<UrlDigest, Entry>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn save(
    reader: &mut Option<Reader>,
    database_url: &str,
    digest: &UrlDigest,
    entry: &Entry,
) -> Result<(), StoreError> {
    let reader = match reader {
        Some(reader) => reader,
        None => reader.insert(Reader::connect(database_url, CONNECTIONS).await?),
    };
    match entry {
        Entry::Set { set, read_at, lifetime } => {
            jwks_cache::put(reader, digest, set, read_at.elapsed(), *lifetime).await
        }
        Entry::Gone => jwks_cache::remove(reader, digest).await,
    }
}
