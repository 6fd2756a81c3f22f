//! The resources that the control plane pushes to the filter: package `tenantry.filter.v1`, in protobuf.
//!
//! They travel as xDS resources ([`type_url`]) and lie in Envoy's shared data as they came. Fields are only ever added;
//! a reader skips those that it does not know.

use crate::desired::{DesiredBucket, DesiredRoute, DesiredSite};
use crate::id::SiteId;
use crate::key::pack_bucket;

/// The type URLs of the filter's resources.
pub mod type_url {
    /// [`super::Host`]; the resource's name is the hostname.
    pub const HOST: &str = "type.googleapis.com/tenantry.filter.v1.Host";
    /// [`super::KeyBucket`]; the resource's name is [`crate::key::bucket_name`].
    pub const KEY_BUCKET: &str = "type.googleapis.com/tenantry.filter.v1.KeyBucket";
    /// [`super::SitePolicy`]; the resource's name is the site's id.
    pub const SITE_POLICY: &str = "type.googleapis.com/tenantry.filter.v1.SitePolicy";
    /// [`super::Sync`]; the resource's name is [`super::SYNC_NAME`].
    pub const SYNC: &str = "type.googleapis.com/tenantry.filter.v1.Sync";
}

/// The name of the one [`Sync`] resource.
pub const SYNC_NAME: &str = "sync";

/// What a hostname leads to.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Host {
    /// The 16 bytes of the site that owns the name; empty for the shared API host.
    #[prost(bytes = "vec", tag = "1")]
    pub site: Vec<u8>,
    /// Whether this is the shared API host, where the key alone tells the site.
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

/// The keys whose digests begin with the same 16 bits, packed ([`pack_bucket`]).
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeyBucket {
    /// Records of [`crate::key::RECORD_LEN`] bytes, sorted by digest.
    #[prost(bytes = "vec", tag = "1")]
    pub records: Vec<u8>,
}

impl From<&DesiredBucket> for KeyBucket {
    fn from(bucket: &DesiredBucket) -> Self {
        Self { records: pack_bucket(&bucket.keys) }
    }
}

/// Finds the records in the bytes of a [`KeyBucket`] without copying them. `None` if the bytes are not a bucket.
pub fn bucket_records(bucket: &[u8]) -> Option<&[u8]> {
    const RECORDS_TAG: u8 = 0x0a;
    let mut rest = bucket.strip_prefix(&[RECORDS_TAG])?;
    let len = prost::decode_length_delimiter(&mut rest).ok()?;
    rest.get(..len)
}

/// All that the filter needs to know of a site.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SitePolicy {
    /// The 16 bytes of the tenant that owns the site.
    #[prost(bytes = "vec", tag = "1")]
    pub tenant: Vec<u8>,
    /// Whether the caller's credential reaches the upstream.
    #[prost(bool, tag = "2")]
    pub forward_credentials: bool,
    /// The routes, sorted by path.
    #[prost(message, repeated, tag = "3")]
    pub routes: Vec<PolicyRoute>,
}

/// One route of a [`SitePolicy`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct PolicyRoute {
    /// The 16 bytes of the route's id.
    #[prost(bytes = "vec", tag = "1")]
    pub id: Vec<u8>,
    /// The methods, as [`crate::method::Methods::bits`].
    #[prost(uint32, tag = "2")]
    pub methods: u32,
    /// The whole path template, base path and version included.
    #[prost(string, tag = "3")]
    pub path: String,
}

/// The end of the first sync: sent once all other resources of a stream have been acknowledged.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Sync {}

impl From<&DesiredSite> for SitePolicy {
    fn from(site: &DesiredSite) -> Self {
        let mut routes: Vec<_> = site.routes.iter().flat_map(policy_routes).collect();
        routes.sort_by(|a, b| (&a.path, a.methods, &a.id).cmp(&(&b.path, b.methods, &b.id)));
        Self { tenant: site.tenant.as_bytes().to_vec(), forward_credentials: site.forward_credentials, routes }
    }
}

/// The paths of a route. The template `/` stands for the version itself, which callers write with and without the slash.
fn policy_routes(route: &DesiredRoute) -> Vec<PolicyRoute> {
    let of = |path: String| PolicyRoute { id: route.id.as_bytes().to_vec(), methods: route.methods.bits(), path };
    let mut routes = vec![of(format!("{}{}", route.prefix, route.template))];
    if route.template == "/" && !route.prefix.is_empty() {
        routes.push(of(route.prefix.clone()));
    }
    routes
}
