//! The one task that writes it down.

use std::sync::Arc;
use std::time::Duration;

use metrics::counter;
use policy::id::Uuid;
use service::flags::DatabaseUrl;
use service::jobs::JobHandle;
use store::{Reader, StoreError, envoy, left_out, quarantine};
use tracing::warn;

use super::report;
use super::roster::{News, Roster};

/// The time for which news wait for more: the answers of all Envoys to one change come within it,
/// and are one statement.
const GATHER: Duration = Duration::from_millis(20);
/// The time between two signs of life of every stream: three of them fit into the time after which
/// it is taken for gone.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// The pause after an error of the database.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest time for the last writing, when the program stops.
const FAREWELL: Duration = Duration::from_secs(2);
/// One, for one statement at a time.
const CONNECTIONS: u32 = 1;

/// Writes what the roster has.
pub struct Recorder {
    roster: Arc<Roster>,
    database_url: DatabaseUrl,
    /// This run of the program.
    replica: Uuid,
    reader: Option<Reader>,
}

impl Recorder {
    /// A recorder of this roster, in the database at this URL. `replica` is a new id for each run
    /// of the program.
    pub fn new(roster: Arc<Roster>, database_url: DatabaseUrl, replica: Uuid) -> Self {
        Self { roster, database_url, replica, reader: None }
    }

    /// Writes until told to stop. Errors are logged, and it tries again.
    pub async fn run(mut self, job: JobHandle) {
        tokio::select! {
            () = job.stopped() => {}
            () = self.record(&job) => {}
        }
        // Only this replica knows that its streams are ending; other streams of the same Envoys
        // have rows of their own.
        if let Some(reader) = &self.reader {
            let _ = tokio::time::timeout(FAREWELL, envoy::leave(reader, self.replica)).await;
        }
    }

    async fn record(&mut self, job: &JobHandle) {
        let roster = Arc::clone(&self.roster);
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        loop {
            let all = tokio::select! {
                () = roster.news() => false,
                _ = heartbeat.tick() => true,
            };
            if !all {
                tokio::time::sleep(GATHER).await;
            }
            let news = roster.take(all);
            let written = self.write(&news, all).await;
            job.note(&written);
            if let Err(error) = written {
                counter!(report::RECORD_ERRORS).increment(1);
                warn!(%error, "what Envoys have answered cannot be written; it is tried again");
                roster.put_back(news);
                tokio::time::sleep(PAUSE).await;
                // The news that were put back.
                heartbeat.reset_immediately();
            }
        }
    }

    async fn write(&mut self, news: &News, all: bool) -> Result<(), StoreError> {
        if news.is_empty() && !all {
            return Ok(());
        }
        let reader = match &self.reader {
            Some(reader) => reader,
            None => {
                self.reader.insert(Reader::connect(self.database_url.reveal(), CONNECTIONS).await?)
            }
        };
        for refusal in news.refusals.values() {
            quarantine::refuse(reader, refusal).await?;
        }
        for (site, digest) in &news.released {
            quarantine::release(reader, *site, digest).await?;
        }
        for (site, (digest, seq)) in &news.still {
            quarantine::still(reader, *site, digest, *seq).await?;
        }
        if let Some(only) = &news.only {
            left_out::keep(reader, &only.iter().copied().collect::<Vec<_>>()).await?;
        }
        for (bucket, parts) in &news.left_out {
            left_out::write(reader, *bucket, parts).await?;
        }
        let ended: Vec<_> = news.ended.iter().copied().collect();
        envoy::write(reader, self.replica, &news.streams, &ended).await?;
        if all {
            envoy::prune(reader).await?;
        }
        Ok(())
    }
}
