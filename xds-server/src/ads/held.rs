//! The state of one resource in a client, as far as this server knows.

use crate::resource::Version;

/// The number of a response on its stream; its text is the nonce.
pub(super) type Nonce = u64;

/// The last message to a client about one resource, and the client's answer to it.
#[derive(Clone, Debug, Default)]
pub(super) struct HeldResource {
    /// The last message to the client.
    pub(super) last_sent: LastSent,
    /// The response in which it was told, until it answers that.
    pub(super) awaiting: Option<Nonce>,
    /// The version that it last accepted.
    pub(super) acked: Option<Version>,
    /// True if this is the state that the client reported when it connected, and nothing was sent
    /// since.
    pub(super) reported: bool,
    /// The version that it last refused. It is not sent again by itself: it would be refused again.
    pub(super) nacked: Option<Version>,
}

/// A message to a client about a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum LastSent {
    /// Nothing, or it refused the last message, perhaps only in part: its state is unknown.
    #[default]
    Unknown,
    /// This version.
    Version(Version),
    /// That it does not exist.
    Absent,
}

impl HeldResource {
    /// The state that a client reports when it connects again.
    pub(super) fn reported(version: &str) -> Self {
        let version = Version::reported(version);
        Self {
            last_sent: LastSent::Version(version.clone()),
            acked: Some(version),
            reported: true,
            ..Self::default()
        }
    }

    /// Notes that this was sent; `None` is a removal.
    pub(super) fn sent(&mut self, version: Option<Version>, nonce: Nonce) {
        self.last_sent = version.map_or(LastSent::Absent, LastSent::Version);
        self.awaiting = Some(nonce);
        self.reported = false;
    }

    /// Notes that the client accepted what was in this response.
    pub(super) fn accepted(&mut self, version: Option<&Version>, nonce: Nonce) {
        self.answered(nonce);
        self.acked = version.cloned();
        self.nacked = None;
    }

    /// Notes that the client refused a response with nothing else in it.
    pub(super) fn refused(&mut self, version: Option<&Version>, nonce: Nonce) {
        self.refused_with_others(nonce);
        self.nacked = version.cloned();
    }

    /// Notes that the client refused a response because of this or of something else in it. Says
    /// whether it has to be sent again to find out; not if something newer is under way.
    pub(super) fn refused_with_others(&mut self, nonce: Nonce) -> bool {
        let latest = self.answered(nonce);
        if latest {
            self.last_sent = LastSent::Unknown;
        }
        latest
    }

    fn answered(&mut self, nonce: Nonce) -> bool {
        let latest = self.awaiting == Some(nonce);
        if latest {
            self.awaiting = None;
        }
        latest
    }

    /// Returns true if the client has accepted this version, and nothing else is under way.
    pub(super) fn has_accepted(&self, version: &Version) -> bool {
        self.awaiting.is_none()
            && self.acked.as_ref() == Some(version)
            && self.last_sent == LastSent::Version(version.clone())
    }

    /// Returns true if the client has refused this version.
    pub(super) fn has_refused(&self, version: &Version) -> bool {
        self.nacked.as_ref() == Some(version)
    }

    /// Returns true if the client may have some version of the resource.
    pub(super) fn may_exist(&self) -> bool {
        self.last_sent != LastSent::Absent || self.awaiting.is_some()
    }
}
