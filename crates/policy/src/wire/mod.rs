//! The resources that the control plane pushes to the filter: package `tenantry.filter.v1`, in
//! protobuf.
//!
//! They travel as xDS resources ([`type_url`]) and lie in Envoy's shared data as they came. Fields
//! are only ever added; a reader skips those that it does not know.

mod consumer;
mod limit;
mod site;

use crate::id::SiteId;

pub use consumer::{Consumer, ConsumerBucket, KeyDetail, SigningKey};
pub use limit::{Dimension, DimensionKind, LimitRule, Measure};
pub use site::{
    ApiPolicy, ClaimHeader, IpRules, Issuer, KeySource, KeySourceKind, Plan, PolicyRoute,
    RequiredClaim, Requirement, RequirementMode, SignatureRules, SitePolicy, UtcOffset,
};

/// The type URLs of the filter's resources.
pub mod type_url {
    /// [`super::Host`]; the resource's name is the hostname.
    pub const HOST: &str = "type.googleapis.com/tenantry.filter.v1.Host";
    /// [`super::KeyBucket`]; the resource's name is [`crate::key::bucket_name`].
    pub const KEY_BUCKET: &str = "type.googleapis.com/tenantry.filter.v1.KeyBucket";
    /// [`super::ConsumerBucket`]; the resource's name is [`crate::consumer::bucket_name`].
    pub const CONSUMER_BUCKET: &str = "type.googleapis.com/tenantry.filter.v1.ConsumerBucket";
    /// [`super::SitePolicy`]; the resource's name is the site's id.
    pub const SITE_POLICY: &str = "type.googleapis.com/tenantry.filter.v1.SitePolicy";
    /// [`super::Sync`]; the resource's name is [`super::SYNC_NAME`].
    pub const SYNC: &str = "type.googleapis.com/tenantry.filter.v1.Sync";
}

/// The name of the one [`Sync`] resource.
pub const SYNC_NAME: &str = "sync";

/// The target of a hostname.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Host {
    /// The 16 bytes of the site that owns the name; empty for the shared API host.
    #[prost(bytes = "vec", tag = "1")]
    pub site: Vec<u8>,
    /// True for the shared API host, where the key alone tells the site.
    #[prost(bool, tag = "2")]
    pub shared_api: bool,
}

impl Host {
    /// The entry of a site's own hostname.
    pub fn of_site(site: SiteId) -> Self {
        Self { site: site.as_bytes().to_vec(), shared_api: false }
    }

    /// The entry of the shared API host.
    pub fn shared() -> Self {
        Self { site: Vec::new(), shared_api: true }
    }
}

/// The keys whose digests begin with the same 16 bits, packed ([`crate::key::pack_bucket`]).
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeyBucket {
    /// Records of [`crate::key::RECORD_LEN`] bytes, sorted by digest.
    #[prost(bytes = "vec", tag = "1")]
    pub records: Vec<u8>,
}

/// Finds the records in the bytes of a [`KeyBucket`] without copying them. `None` if the bytes are
/// not a bucket.
pub fn bucket_records(bucket: &[u8]) -> Option<&[u8]> {
    const RECORDS_TAG: u8 = 0x0a;
    let mut rest = bucket.strip_prefix(&[RECORDS_TAG])?;
    let len = prost::decode_length_delimiter(&mut rest).ok()?;
    rest.get(..len)
}

/// The end of the first sync: sent once all other resources of a stream have been acknowledged.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Sync {}
