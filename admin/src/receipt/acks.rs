//! The answers of Envoys, read once for all requests that wait for them.

use std::sync::Arc;
use std::time::Duration;

use service::jobs::JobHandle;
use store::envoy::{self, ConnectedStream, Listener};
use store::{Store, StoreError};
use tokio::sync::{Notify, watch};

/// The time that the table goes unread without a notification, while a request waits.
const POLL: Duration = Duration::from_millis(500);

/// The streams of all Envoys, as they were last read.
type Streams = Arc<Vec<ConnectedStream>>;

/// Follows the answers of Envoys, as long as a request waits.
#[derive(Debug, Default)]
pub struct Acks {
    streams: watch::Sender<Streams>,
    wanted: Notify,
}

impl Acks {
    /// Reads the answers whenever a request waits, for ever.
    pub async fn run(self: Arc<Self>, store: Store, job: JobHandle) {
        // A request may wait already, after a restart.
        if self.streams.receiver_count() > 0 {
            self.wanted.notify_one();
        }
        loop {
            self.wanted.notified().await;
            let outcome = self.read(&store).await;
            job.note(&outcome);
            if let Err(error) = outcome {
                tracing::warn!(%error, "the answers of Envoys cannot be read");
                tokio::time::sleep(POLL).await;
                self.wanted.notify_one();
            }
        }
    }

    /// The table as it is read from now on.
    pub fn follow(&self) -> watch::Receiver<Streams> {
        let mut follower = self.streams.subscribe();
        follower.mark_unchanged();
        self.wanted.notify_one();
        follower
    }

    /// Reads as long as a request waits.
    async fn read(&self, store: &Store) -> Result<(), StoreError> {
        let mut listener: Option<Listener> = None;
        while self.streams.receiver_count() > 0 {
            // Before the table is read, so that no notification falls between.
            let listener = match &mut listener {
                Some(listener) => listener,
                None => listener.insert(Listener::connect(store).await?),
            };
            self.streams.send_replace(Arc::new(envoy::connected(store).await?));
            tokio::select! {
                result = listener.wait() => result?,
                () = self.wanted.notified() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
        Ok(())
    }
}
