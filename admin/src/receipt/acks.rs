//! The answers of Envoys, read once for all requests that wait for them.

use std::sync::Arc;
use std::time::Duration;

use store::envoy::{self, ConnectedStream, Listener};
use store::{Store, StoreError};
use tokio::sync::{Notify, watch};

/// The time that the table goes unread without a notification, while a request waits.
const POLL: Duration = Duration::from_millis(500);

/// The streams of all Envoys, as they were last read.
type Streams = Arc<Vec<ConnectedStream>>;

/// Follows the answers of Envoys, as long as a request waits.
#[derive(Debug)]
pub struct Acks {
    streams: watch::Sender<Streams>,
    wanted: Notify,
}

impl Acks {
    /// Begins to follow them in this database.
    pub fn start(store: Store) -> Arc<Self> {
        let acks = Arc::new(Self { streams: watch::Sender::default(), wanted: Notify::new() });
        let weak = Arc::downgrade(&acks);
        tokio::spawn(async move {
            while let Some(acks) = weak.upgrade() {
                // So that the task ends with the service.
                let wanted = tokio::time::timeout(POLL, acks.wanted.notified()).await;
                if wanted.is_ok()
                    && let Err(error) = acks.read(&store).await
                {
                    tracing::warn!(%error, "what Envoys have answered cannot be read");
                    tokio::time::sleep(POLL).await;
                    acks.wanted.notify_one();
                }
            }
        });
        acks
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
