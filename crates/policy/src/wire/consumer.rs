//! Consumers: the facts about them beyond the records of their credentials.

use super::{IpRules, LimitRule};

/// The consumers whose ids end with the same 16 bits, sorted by id.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ConsumerBucket {
    /// The consumers.
    #[prost(message, repeated, tag = "1")]
    pub consumers: Vec<Consumer>,
}

/// One consumer.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Consumer {
    /// The 16 bytes of its id.
    #[prost(bytes = "vec", tag = "1")]
    pub id: Vec<u8>,
    /// Scopes that all its credentials have, sorted.
    #[prost(string, repeated, tag = "2")]
    pub scopes: Vec<String>,
    /// From which client addresses its credentials work.
    #[prost(message, optional, tag = "3")]
    pub ip: Option<IpRules>,
    /// Its own limits and quotas.
    #[prost(message, repeated, tag = "4")]
    pub limits: Vec<LimitRule>,
    /// Those of its credentials that have settings, sorted by id.
    #[prost(message, repeated, tag = "5")]
    pub keys: Vec<KeyDetail>,
    /// The verifying halves of its signing keys, sorted by id.
    #[prost(message, repeated, tag = "6")]
    pub signing_keys: Vec<SigningKey>,
}

/// The facts about a key beyond its record.
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeyDetail {
    /// The 16 bytes of its id.
    #[prost(bytes = "vec", tag = "1")]
    pub id: Vec<u8>,
    /// Its scopes, sorted.
    #[prost(string, repeated, tag = "2")]
    pub scopes: Vec<String>,
    /// From which client addresses it works.
    #[prost(message, optional, tag = "3")]
    pub ip: Option<IpRules>,
    /// Its own limits and quotas.
    #[prost(message, repeated, tag = "4")]
    pub limits: Vec<LimitRule>,
}

/// A key of RFC 9421.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub struct SigningKey {
    /// The 16 bytes of its id.
    #[prost(bytes = "vec", tag = "1")]
    pub id: Vec<u8>,
    /// True if `material` is the 32 bytes of an Ed25519 public key; otherwise it is a secret of
    /// HMAC with SHA-256.
    #[prost(bool, tag = "2")]
    pub ed25519: bool,
    /// The verifying half: a public key or a secret.
    #[prost(bytes = "vec", tag = "3")]
    pub material: Vec<u8>,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("ed25519", &self.ed25519).finish_non_exhaustive()
    }
}
