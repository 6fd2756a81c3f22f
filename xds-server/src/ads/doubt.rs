//! While it is in doubt that the snapshot is as new as a client's state (it was stored by an
//! earlier run, or PostgreSQL is away), the client keeps the resources that it reports to have. It
//! gets those that it lacks, with one exception: a mirror that was in sync gets nothing of its
//! types, because a resource that it lacks may have been taken from it, such as a revoked key.

use super::held::HeldResource;
use super::stream::Stream;
use crate::resource::ResourceType;
use crate::snapshot::Snapshot;

impl Stream {
    /// Says that the snapshot may be older than the client's state. Call it before the client's
    /// first request is taken in.
    pub fn doubt(&mut self) {
        self.doubts = true;
    }

    /// Says that the snapshot is as new as the client's state, or newer.
    pub fn trust(&mut self, snapshot: &Snapshot) {
        if std::mem::take(&mut self.doubts) {
            self.resync(snapshot);
        }
    }

    /// Returns true while nothing can be said of this type yet: the state of a mirror is known by
    /// its subscription to the mark of a complete sync, which is its last.
    pub(super) fn waits(&self, kind: ResourceType) -> bool {
        self.doubts && kind.is_for_the_filter() && !self.subscription(ResourceType::Sync).requested
    }

    /// Returns true if the client keeps its state of a name, present or absent.
    pub(super) fn keeps(&self, kind: ResourceType, held: Option<&HeldResource>) -> bool {
        let reported = |held: &HeldResource| held.reported;
        self.doubts
            && match held {
                Some(held) => held.reported,
                None if kind.is_for_the_filter() => {
                    self.subscription(ResourceType::Sync).held.values().any(reported)
                }
                None => false,
            }
    }
}
