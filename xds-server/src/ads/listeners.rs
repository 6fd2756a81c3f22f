//! An Envoy that begins gets its listeners last of all: when the mirror beside it knows
//! credentials. One that has listeners keeps on getting their changes.

use super::stream::Stream;
use crate::resource::ResourceType;

impl Stream {
    /// Holds back the listeners of a client without any.
    pub fn hold_listeners(&mut self) {
        self.holds_listeners = true;
    }

    /// Lets them go.
    pub fn release_listeners(&mut self) {
        self.holds_listeners = false;
    }

    /// Returns true if the client is a mirror that has accepted the mark of a complete sync, on
    /// this stream or before.
    pub fn is_mirror_in_sync(&self) -> bool {
        self.subscription(ResourceType::Sync).held.values().any(|held| held.acked.is_some())
    }

    /// Returns true if this type is held back.
    pub(super) fn is_held_back(&self, kind: ResourceType) -> bool {
        self.holds_listeners
            && kind == ResourceType::Listener
            && self.subscription(kind).held.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use crate::ads::session::Session;
    use crate::resource::ResourceType::{Listener, Sync};
    use crate::resource::{Named, Resource};
    use crate::snapshot::Owner;
    use crate::translate::LISTENER_NAME;

    #[test]
    fn a_client_without_listeners_waits_for_them_to_be_released() {
        let mut session = Session::default();
        session.stream.hold_listeners();
        session.resume(Listener, &["*"], &[]);
        assert_eq!(session.poll(), None);
        session.stream.release_listeners();
        assert_eq!(session.settle(), [(Listener, vec![LISTENER_NAME.to_owned()], vec![])]);
    }

    #[test]
    fn a_client_that_has_listeners_does_not_wait() {
        let mut session = Session::default();
        session.stream.hold_listeners();
        session.resume(Listener, &["*"], &[(LISTENER_NAME, "older")]);
        assert_eq!(session.settle(), [(Listener, vec![LISTENER_NAME.to_owned()], vec![])]);
    }

    #[test]
    fn a_mirror_is_in_sync_when_it_has_accepted_the_mark() {
        let mut session = Session::default();
        let mark = Named {
            kind: Sync,
            name: "sync".to_owned(),
            resource: Resource::new(Sync, b"1".to_vec()),
        };
        session.snapshot.apply(Owner::Platform, vec![mark]);
        for kind in [crate::resource::ResourceType::SitePolicy, Sync] {
            session.resume(kind, &["*"], if kind == Sync { &[("sync", "1")] } else { &[] });
        }
        assert!(session.stream.is_mirror_in_sync(), "it was before");
        session.reconnect();
        session.resume(Sync, &["*"], &[]);
        assert!(!session.stream.is_mirror_in_sync());
    }
}
