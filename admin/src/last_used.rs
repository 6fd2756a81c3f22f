//! The last use of service tokens: noted beside the requests, so that none is slower for it.

use std::sync::Arc;

use policy::id::TenantId;
use store::Store;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use uuid::Uuid;

/// The notes that may wait. Further ones are lost: the next request with the token makes another.
const WAITING: usize = 256;

/// Takes notes of the use of service tokens. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LastUsed(Arc<Sender<(TenantId, Uuid)>>);

impl LastUsed {
    /// Starts to write notes, for as long as the sender exists.
    pub fn start(store: Store) -> Self {
        let (sender, receiver) = channel(WAITING);
        tokio::spawn(write(store, receiver));
        Self(Arc::new(sender))
    }

    /// Notes that a token is used now.
    pub fn note(&self, tenant: TenantId, token: Uuid) {
        // Full, or the program ends: then it is not noted.
        let _ = self.0.try_send((tenant, token));
    }
}

async fn write(store: Store, mut notes: Receiver<(TenantId, Uuid)>) {
    while let Some((tenant, token)) = notes.recv().await {
        if let Err(error) = store.note_service(tenant, token).await {
            tracing::warn!(%error, "the use of a service token was not noted");
        }
    }
}
