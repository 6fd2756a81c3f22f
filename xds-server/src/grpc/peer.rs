//! The identity of a client, as its connection shows it.

use std::collections::BTreeSet;
use std::sync::Arc;

use policy::cell::CellName;

/// The identity at the other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A client that did not have to say.
    Anyone,
    /// The holder of a certificate that names these cells.
    Certified(Arc<BTreeSet<CellName>>),
}

impl Peer {
    /// A peer of which nothing is known, and that may be of no cell.
    pub fn nobody() -> Self {
        Self::Certified(Arc::default())
    }

    /// Returns true if the peer may be an Envoy of this cell.
    pub fn may_be_of(&self, cell: &str) -> bool {
        match self {
            Self::Anyone => true,
            Self::Certified(cells) => cells.iter().any(|known| known.as_str() == cell),
        }
    }
}
