//! The keys of sums, and the parts of a key that are given up when there is no room for all of it.

use std::hash::{Hash, Hasher};

use super::Who;

/// The key of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EntryKey {
    pub(super) who: Who,
    /// Hours since the Unix epoch.
    pub(super) hour: u32,
    pub(super) status_class: u8,
}

/// The detail in which an [`EntryKey`] is kept, from all of it to the part that can always be
/// billed. Each gives up one thing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Detail {
    /// Everything.
    Full,
    /// No route.
    NoRoute,
    /// No credential either.
    NoKey,
    /// The day instead of the hour: all is counted in the first hour of the day in UTC. It matters
    /// when the control plane has been away for hours; a consumer's sums of a day stay exact.
    Day,
    /// No consumer either: only the site's own sums stay exact.
    NoConsumer,
}

impl Detail {
    /// The next coarser one.
    pub(super) fn coarser(self) -> Option<Self> {
        match self {
            Self::Full => Some(Self::NoRoute),
            Self::NoRoute => Some(Self::NoKey),
            Self::NoKey => Some(Self::Day),
            Self::Day => Some(Self::NoConsumer),
            Self::NoConsumer => None,
        }
    }

    /// Takes off the part that this one gives up.
    pub(super) fn of(self, mut key: EntryKey) -> EntryKey {
        if self >= Self::NoRoute {
            key.who.route = None;
        }
        if self >= Self::NoKey {
            key.who.key = None;
        }
        if self >= Self::Day {
            key.hour -= key.hour % 24;
        }
        if self >= Self::NoConsumer {
            key.who.consumer = None;
        }
        key
    }
}

/// Hashing costs part of a microsecond of every request if it takes in all 80 bytes of the ids. The
/// last eight bytes of a UUIDv7 are random (RFC 9562 section 5.7), so they spread well enough
/// alone; equality compares everything.
impl Hash for EntryKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(u64::from(self.hour) << 8 | u64::from(self.status_class));
        state.write_u64(low(self.who.site.as_bytes()));
        state.write_u64(self.who.consumer.map_or(0, |id| low(id.as_bytes())));
        state.write_u64(self.who.key.map_or(0, |id| low(id.as_bytes())));
        state.write_u64(self.who.route.map_or(0, |id| low(id.as_bytes())));
    }
}

fn low(id: &[u8; 16]) -> u64 {
    let [.., a, b, c, d, e, f, g, h] = *id;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}
