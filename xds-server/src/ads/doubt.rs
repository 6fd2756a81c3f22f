//! While it is in doubt whether the snapshot is as new as what a client has (it was stored by an
//! earlier run, or PostgreSQL is away), the client keeps what it reports to have. What it does not
//! have it gets, but for one thing: a mirror that was in sync gets nothing of its types, because
//! what it lacks may have been taken from it, such as a key that was revoked.

use super::held::Held;
use super::stream::Stream;
use crate::resource::ResourceType;
use crate::snapshot::Snapshot;

impl Stream {
    /// The snapshot may be older than what the client has. To be said before its first request is
    /// taken in.
    pub fn doubt(&mut self) {
        self.doubts = true;
    }

    /// The snapshot is as new as what the client has, or newer.
    pub fn trust(&mut self, snapshot: &Snapshot) {
        if std::mem::take(&mut self.doubts) {
            self.resync(snapshot);
        }
    }

    /// Whether nothing can be said of this type yet: which state a mirror is in is known by its
    /// subscription to the mark of a complete sync, which is its last.
    pub(super) fn waits(&self, kind: ResourceType) -> bool {
        self.doubts && kind.is_for_the_filter() && !self.subscription(ResourceType::Sync).requested
    }

    /// Whether the client keeps what it has, or has not, of a name.
    pub(super) fn keeps(&self, kind: ResourceType, held: Option<&Held>) -> bool {
        let reported = |held: &Held| held.reported;
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
