//! The last use of service tokens: noted beside the requests, so that none is slower for it.

use std::sync::Arc;

use policy::id::TenantId;
use service::jobs::JobHandle;
use store::Store;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use uuid::Uuid;

/// The notes that may wait. Further ones are lost: the next request with the token makes another.
const WAITING: usize = 256;

/// Takes notes of the use of service tokens. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LastUsed(Sender<(TenantId, Uuid)>);

/// The notes that wait to be written. Clones are the same notes.
#[derive(Clone, Debug)]
pub struct Notes(Arc<Mutex<Receiver<(TenantId, Uuid)>>>);

impl LastUsed {
    /// Returns the side of the requests, and that of the job which writes.
    pub fn new() -> (Self, Notes) {
        let (sender, receiver) = channel(WAITING);
        (Self(sender), Notes(Arc::new(Mutex::new(receiver))))
    }

    /// Notes that a token is used now.
    pub fn note(&self, tenant: TenantId, token: Uuid) {
        // Full, or the program ends: then it is not noted.
        let _ = self.0.try_send((tenant, token));
    }
}

impl Notes {
    /// Writes notes until the program stops. The side of requests may end before.
    pub async fn write(self, store: Store, job: JobHandle) {
        let mut notes = self.0.lock().await;
        while let Some((tenant, token)) = notes.recv().await {
            job.backlog(notes.len());
            let outcome = store.note_service(tenant, token).await;
            job.note(&outcome);
            if let Err(error) = outcome {
                tracing::warn!(%error, "the use of a service token was not noted");
            }
        }
        job.stopped().await;
    }
}
