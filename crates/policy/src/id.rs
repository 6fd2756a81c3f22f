//! Identities: one newtype per kind of object, so that one cannot be passed for another.

use std::{fmt, str::FromStr};

pub use uuid::Uuid;

/// Declares a newtype over [`Uuid`]. Its text form is the hyphenated lower-case UUID, in `Display`,
/// `Debug`, serde and `FromStr` alike; its byte form is the 16 bytes of RFC 9562.
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);

        impl $name {
            /// Reads the 16 bytes of an id; `None` for any other length.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                Uuid::from_slice(bytes).ok().map(Self)
            }

            /// The 16 bytes of the id.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::from_str(text).map(Self)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    )*};
}

ids! {
    /// The customer organisation: the unit of isolation.
    TenantId,
    /// A tenant's gateway workspace.
    SiteId,
    /// A name that resolves to a site.
    HostnameId,
    /// A group of endpoints that routes send traffic to.
    UpstreamId,
    /// An API that is published in a site.
    ApiId,
    /// One version of an API.
    VersionId,
    /// A method set and a path template of a version.
    RouteId,
    /// An application that calls the APIs.
    ConsumerId,
    /// An API key or a signing key of a consumer, or a subject of tokens.
    KeyId,
    /// An issuer of tokens.
    IssuerId,
    /// A tier of limits that consumers subscribe to.
    PlanId,
}
