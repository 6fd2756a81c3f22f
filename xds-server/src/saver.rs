//! The way of data that was read outside (JWK Sets, addresses) to the database, from which the next
//! run of this program begins.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::counter;
use service::flags::DatabaseUrl;
use service::jobs::JobHandle;
use sha2::{Digest as _, Sha256};
use store::{Reader, StoreError};
use tokio::sync::Notify;
use tracing::warn;

/// A SHA-256, by which the database knows a URL or a name: a tenant's text stays in the tenant's
/// own tables.
pub type TextDigest = [u8; 32];

/// The pause after an error of the database, doubled with each that follows.
const FIRST_DELAY: Duration = Duration::from_secs(1);
const LAST_DELAY: Duration = Duration::from_secs(60);
/// One, for one statement at a time.
const CONNECTIONS: u32 = 1;

/// The new content of a row.
pub trait SavedRow: fmt::Debug + Send + Sync {
    /// The name of the rows, in the plural, for the log.
    const WHAT: &'static str;
    /// The counter of what could not be saved.
    const ERRORS: &'static str;

    /// Makes it so.
    fn save(
        &self,
        reader: &Reader,
        digest: &TextDigest,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// The rows to be written. While the database is away they wait: one entry for each text, so that
/// they are bounded as the texts are.
#[derive(Debug)]
pub struct Saver<K> {
    pending: Mutex<BTreeMap<TextDigest, K>>,
    news: Notify,
}

impl<K> Default for Saver<K> {
    fn default() -> Self {
        Self { pending: Mutex::default(), news: Notify::default() }
    }
}

/// The digest of a text.
pub fn digest(text: &str) -> TextDigest {
    Sha256::digest(text).into()
}

impl<K: SavedRow> Saver<K> {
    /// Has it written, in place of an earlier content of the same row that still waits.
    pub(crate) fn add(&self, text: &str, row: K) {
        self.lock().insert(digest(text), row);
        self.news.notify_one();
    }

    /// Writes the rows to the database at this URL, for ever. Errors are logged, and it tries
    /// again.
    pub async fn run(self: Arc<Self>, database_url: DatabaseUrl, job: JobHandle) {
        let mut reader = None;
        let mut delay = FIRST_DELAY;
        loop {
            while let Some((digest, row)) = self.next() {
                let saved = save(&mut reader, &database_url, &digest, &row).await;
                job.note(&saved);
                if let Err(error) = saved {
                    // An entry that came meanwhile is newer.
                    self.lock().entry(digest).or_insert(row);
                    job.backlog(self.lock().len());
                    counter!(K::ERRORS).increment(1);
                    warn!(
                        %error,
                        "{} cannot be saved for the next start; it is tried again",
                        K::WHAT
                    );
                    tokio::time::sleep(delay).await;
                    delay = (delay * 2).min(LAST_DELAY);
                } else {
                    job.backlog(self.lock().len());
                    delay = FIRST_DELAY;
                }
            }
            self.news.notified().await;
        }
    }

    fn next(&self) -> Option<(TextDigest, K)> {
        self.lock().pop_first()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<TextDigest, K>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn save<K: SavedRow>(
    reader: &mut Option<Reader>,
    database_url: &DatabaseUrl,
    digest: &TextDigest,
    row: &K,
) -> Result<(), StoreError> {
    let reader = match reader {
        Some(reader) => reader,
        None => reader.insert(Reader::connect(database_url.reveal(), CONNECTIONS).await?),
    };
    row.save(reader, digest).await
}
