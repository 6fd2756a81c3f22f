//! The events that a stream reports to its pump, for logs and metrics.

use policy::id::SiteId;
use thiserror::Error;

use crate::node::NodeError;
use crate::resource::{ResourceType, Version};

/// Something that happened on a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The client accepted a response.
    Ack {
        /// The type of the response.
        kind: ResourceType,
        /// The sites whose resources were in it.
        sites: Vec<SiteId>,
    },
    /// The client refused a response. The resources before stay in use there.
    Nack {
        /// The type of the response.
        kind: ResourceType,
        /// The content of the response; `None` stands for a removal.
        resources: Vec<(String, Option<Version>)>,
        /// The client's reason.
        message: String,
    },
    /// An ACK or NACK of no response that is under way: ignored.
    StaleNonce {
        /// The type of the request.
        kind: ResourceType,
    },
    /// A request for a type that this server does not have: ignored.
    UnknownType {
        /// The type URL of the request.
        type_url: String,
    },
}

/// A request that ends the stream.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StreamError {
    /// The first request has no Node with an id.
    #[error(
        "the first request of a stream has to carry a node with an id; set `node.id` in the \
         bootstrap"
    )]
    NoNode,
    /// The Node's metadata are wrong.
    #[error(transparent)]
    Node(#[from] NodeError),
}
