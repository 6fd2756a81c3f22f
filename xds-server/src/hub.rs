//! The one place where the snapshot of a cell lives: the follower writes it, the streams read it
//! and are told of changes.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use policy::id::SiteId;
use tokio::sync::broadcast;

use crate::resource::Named;
use crate::snapshot::{Changed, Owner, Snapshot};

/// The number of changes that a stream may be behind before it stops following each and looks at
/// everything again. It bounds the memory of the queue; a stream misses nothing.
const NOTICES: usize = 256;

/// A message to the streams.
#[derive(Clone, Debug)]
pub enum Notice {
    /// These names were touched.
    Changed(Arc<Changed>),
    /// Everything through this change of the log was told.
    Reached(i64),
    /// These sites were used since the last notice of this kind; clients may let go of others.
    Used(Arc<BTreeSet<SiteId>>),
}

/// The snapshot, with what is needed to follow it.
#[derive(Debug)]
pub struct Hub {
    snapshot: RwLock<Snapshot>,
    notices: broadcast::Sender<Notice>,
}

impl Default for Hub {
    fn default() -> Self {
        let (notices, _) = broadcast::channel(NOTICES);
        Self { snapshot: RwLock::default(), notices }
    }
}

impl Hub {
    /// Replaces the groups of these owners in one step, and tells the streams.
    pub fn apply(&self, groups: Vec<(Owner, Vec<Named>)>) -> Changed {
        let mut changed = Changed::new();
        {
            let mut snapshot = self.snapshot.write().unwrap_or_else(PoisonError::into_inner);
            for (owner, resources) in groups {
                changed.append(&mut snapshot.apply(owner, resources));
            }
        }
        self.tell(&changed);
        changed
    }

    /// Replaces these resources, as far as they are there, in one step, and tells the streams.
    /// Their owners stay.
    pub fn replace(&self, resources: Vec<Named>) -> Changed {
        let changed = {
            let mut snapshot = self.snapshot.write().unwrap_or_else(PoisonError::into_inner);
            resources
                .into_iter()
                .filter_map(|resource| snapshot.replace(resource))
                .collect::<Changed>()
        };
        self.tell(&changed);
        changed
    }

    /// Says that the snapshot holds everything through this change of the log. Streams learn it
    /// even if nothing has changed for them: by it they know that they have the change.
    pub fn reached(&self, seq: i64) {
        self.snapshot.write().unwrap_or_else(PoisonError::into_inner).set_seq(seq);
        let _ = self.notices.send(Notice::Reached(seq));
    }

    /// Tells the streams which sites were used since the last time.
    pub fn used(&self, sites: Arc<BTreeSet<SiteId>>) {
        let _ = self.notices.send(Notice::Used(sites));
    }

    fn tell(&self, changed: &Changed) {
        if !changed.is_empty() {
            // An error only says that there is no stream.
            let _ = self.notices.send(Notice::Changed(Arc::new(changed.clone())));
        }
    }

    /// The snapshot as it is now. Hold it for as long as one response takes, no longer: the
    /// follower waits.
    pub fn snapshot(&self) -> RwLockReadGuard<'_, Snapshot> {
        self.snapshot.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The changes from now on.
    pub fn follow(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }
}
