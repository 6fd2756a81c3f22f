//! Problems of published APIs, and of their callers.

use super::kind::{Kind, kinds};

kinds! {
    /// A client could not tell two routes apart.
    ROUTE_TAKEN = Kind::conflict("route-taken", "Two routes could not be told apart");
    /// The key has ended, so it cannot be rotated.
    KEY_ENDED = Kind::conflict("key-ended", "The key no longer works");
}
