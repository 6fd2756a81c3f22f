//! The part of delta xDS that the mirror speaks (`envoy.service.discovery.v3`), by field numbers.
//! The filter has no use for the other fields, nor for the size of a crate with all of xDS in it.

mod response;

use std::collections::BTreeMap;

pub use response::{Part, Response};

/// `envoy.config.core.v3.Node`, in part.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Node {
    /// The id of this Envoy.
    #[prost(string, tag = "1")]
    pub id: String,
    /// The cell that it is in.
    #[prost(string, tag = "2")]
    pub cluster: String,
    /// The program that asks: `tenantry-filter`.
    #[prost(string, tag = "6")]
    pub user_agent_name: String,
}

/// `google.rpc.Status`, in part.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Status {
    /// A gRPC status code.
    #[prost(int32, tag = "1")]
    pub code: i32,
    /// The fault, with the resource's name.
    #[prost(string, tag = "2")]
    pub message: String,
}

/// `envoy.service.discovery.v3.DeltaDiscoveryRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DeltaDiscoveryRequest {
    /// In the first message of a stream.
    #[prost(message, optional, tag = "1")]
    pub node: Option<Node>,
    /// The type that this message is about.
    #[prost(string, tag = "2")]
    pub type_url: String,
    /// Names to subscribe to; `*` for all.
    #[prost(string, repeated, tag = "3")]
    pub resource_names_subscribe: Vec<String>,
    /// The resources held at the start of a stream: name to version.
    #[prost(btree_map = "string, string", tag = "5")]
    pub initial_resource_versions: BTreeMap<String, String>,
    /// The response that this is the answer to.
    #[prost(string, tag = "6")]
    pub response_nonce: String,
    /// Present in a NACK.
    #[prost(message, optional, tag = "7")]
    pub error_detail: Option<Status>,
}

/// `envoy.service.discovery.v3.DeltaDiscoveryResponse`, in part.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DeltaDiscoveryResponse {
    /// The resources that were added or changed.
    #[prost(message, repeated, tag = "2")]
    pub resources: Vec<Resource>,
    /// The type that this message is about.
    #[prost(string, tag = "4")]
    pub type_url: String,
    /// To be given back in the answer.
    #[prost(string, tag = "5")]
    pub nonce: String,
    /// The names of resources that are gone.
    #[prost(string, repeated, tag = "6")]
    pub removed_resources: Vec<String>,
}

/// `envoy.service.discovery.v3.Resource`, in part.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Resource {
    /// The hash of the content.
    #[prost(string, tag = "1")]
    pub version: String,
    /// The content.
    #[prost(message, optional, tag = "2")]
    pub resource: Option<Any>,
    /// Unique in its type.
    #[prost(string, tag = "3")]
    pub name: String,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Any {
    /// The type URL of `value`.
    #[prost(string, tag = "1")]
    pub type_url: String,
    /// The encoded message.
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}
