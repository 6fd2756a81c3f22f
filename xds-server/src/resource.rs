//! xDS resources as the snapshot and the streams handle them: type, name, version, and bytes that
//! they do not look into.

use std::fmt;
use std::sync::Arc;

use policy::bounds::{BUCKET_BYTES, SITE_POLICY_BYTES};
use policy::id::SiteId;
use policy::wire;
use sha2::{Digest as _, Sha256};
use xds_api::pb::google::protobuf::Any;

/// The types that this server knows, in the order in which a stream sends them: a resource goes
/// before those that refer to it (xDS protocol, "Eventual consistency considerations").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceType {
    /// CDS.
    Cluster,
    /// EDS.
    Endpoints,
    /// ECDS.
    ExtensionConfig,
    /// LDS.
    Listener,
    /// SRDS.
    ScopedRoute,
    /// RDS.
    Route,
    /// `tenantry.filter.v1.SitePolicy`.
    SitePolicy,
    /// `tenantry.filter.v1.ConsumerBucket`: before the keys, so that a key that refers to its
    /// consumer finds it.
    ConsumerBucket,
    /// `tenantry.filter.v1.KeyBucket`.
    KeyBucket,
    /// `tenantry.filter.v1.Host`: after the policies, so that a new host leads to a site that is
    /// there.
    Host,
    /// `tenantry.filter.v1.Sync`.
    Sync,
}

impl ResourceType {
    /// All types, in sending order.
    pub const ALL: [Self; 11] = [
        Self::Cluster,
        Self::Endpoints,
        Self::ExtensionConfig,
        Self::Listener,
        Self::ScopedRoute,
        Self::Route,
        Self::SitePolicy,
        Self::ConsumerBucket,
        Self::KeyBucket,
        Self::Host,
        Self::Sync,
    ];

    /// The type URL of discovery requests and responses.
    pub fn type_url(self) -> &'static str {
        match self {
            Self::Cluster => "type.googleapis.com/envoy.config.cluster.v3.Cluster",
            Self::Endpoints => "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
            Self::ExtensionConfig => {
                "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig"
            }
            Self::Listener => "type.googleapis.com/envoy.config.listener.v3.Listener",
            Self::ScopedRoute => {
                "type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration"
            }
            Self::Route => "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
            Self::SitePolicy => wire::type_url::SITE_POLICY,
            Self::ConsumerBucket => wire::type_url::CONSUMER_BUCKET,
            Self::KeyBucket => wire::type_url::KEY_BUCKET,
            Self::Host => wire::type_url::HOST,
            Self::Sync => wire::type_url::SYNC,
        }
    }

    /// The type with this URL, if this server knows it.
    pub fn from_type_url(url: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.type_url() == url)
    }

    /// A short word for logs and metric labels.
    pub fn label(self) -> &'static str {
        match self {
            Self::Cluster => "cds",
            Self::Endpoints => "eds",
            Self::ExtensionConfig => "ecds",
            Self::Listener => "lds",
            Self::ScopedRoute => "srds",
            Self::Route => "rds",
            Self::SitePolicy => "site_policy",
            Self::ConsumerBucket => "consumer_bucket",
            Self::KeyBucket => "key_bucket",
            Self::Host => "host",
            Self::Sync => "sync",
        }
    }

    /// The type with this label.
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.label() == label)
    }

    /// Returns true if a first request without names means all resources of the type, as Envoy does
    /// for LDS, CDS and SRDS, and the filter for its own types. For the other types it means none.
    pub fn is_wildcard_by_default(self) -> bool {
        !matches!(self, Self::Endpoints | Self::Route | Self::ExtensionConfig)
    }

    /// Returns true if the filter's mirror takes it, not Envoy itself.
    pub fn is_for_the_filter(self) -> bool {
        self >= Self::SitePolicy
    }

    /// Returns true if a response holds the resources of one site alone: a client may refuse a
    /// response as a whole because of one resource in it, and that must not cost another tenant
    /// anything. The other types carry nothing that a tenant wrote and a client validates, and are
    /// packed, so that a first sync is a few large responses.
    pub fn is_sent_by_site(self) -> bool {
        matches!(self, Self::Cluster | Self::Endpoints | Self::Route)
    }
}

impl fmt::Display for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// The version of a resource: the beginning of the SHA-256 of its bytes, in hexadecimal. Equal
/// content has an equal version on every replica and after every restart, so that a client that
/// reconnects is sent only the differences.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(Arc<str>);

impl Version {
    /// 64 bits: the versions of one name are compared with each other only.
    const LEN_BYTES: usize = 8;

    /// The version of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let digest = Sha256::digest(bytes);
        let text: String =
            digest.iter().take(Self::LEN_BYTES).map(|byte| format!("{byte:02x}")).collect();
        Self(text.into())
    }

    /// A version that a client reported, of whatever form.
    pub fn reported(text: &str) -> Self {
        Self(text.into())
    }

    /// The text that goes over the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One resource, ready to be sent. Clones share the bytes' owner by [`Arc`].
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// The hash of `body`.
    pub version: Version,
    /// The message, packed.
    pub body: Any,
}

impl Resource {
    /// A resource of these bytes.
    pub fn new(kind: ResourceType, bytes: Vec<u8>) -> Arc<Self> {
        let version = Version::of(&bytes);
        Arc::new(Self { version, body: Any { type_url: kind.type_url().to_owned(), value: bytes } })
    }
}

impl Resource {
    /// Returns true if a VM of the filter has no room for it.
    pub fn is_too_large_for_a_vm(&self) -> bool {
        let kind = ResourceType::from_type_url(&self.body.type_url);
        let allowed = match kind {
            Some(ResourceType::SitePolicy) => SITE_POLICY_BYTES,
            Some(kind) if kind.is_for_the_filter() => BUCKET_BYTES,
            _ => usize::MAX,
        };
        self.body.value.len() > allowed
    }
}

/// A resource with its type and name.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// The type.
    pub kind: ResourceType,
    /// The name, unique within the type.
    pub name: String,
    /// The resource.
    pub resource: Arc<Resource>,
}

impl Named {
    /// Encodes a message as the resource of this type and name.
    pub fn of(kind: ResourceType, name: impl Into<String>, message: &impl prost::Message) -> Self {
        Self { kind, name: name.into(), resource: Resource::new(kind, message.encode_to_vec()) }
    }
}

/// The name of a site's RouteConfiguration.
pub fn route_name(site: SiteId) -> String {
    format!("site/{site}")
}

/// The site that a name of an RDS, CDS or EDS resource belongs to: `site/<id>` or
/// `site/<id>/<upstream>`.
pub fn site_of(name: &str) -> Option<SiteId> {
    let rest = name.strip_prefix("site/")?;
    rest.split('/').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_url_and_label_lead_back_to_their_type() {
        for kind in ResourceType::ALL {
            assert_eq!(ResourceType::from_type_url(kind.type_url()), Some(kind));
            assert_eq!(ResourceType::from_label(kind.label()), Some(kind));
        }
    }

    #[test]
    fn names_tell_their_site() {
        let site: SiteId = "0192f0c1-0000-7000-8000-000000000001".parse().unwrap();
        assert_eq!(site_of(&route_name(site)), Some(site));
        assert_eq!(
            site_of(&format!("site/{site}/0192f0c1-0000-7000-8000-000000000002")),
            Some(site)
        );
        assert_eq!(site_of("edge/http"), None);
        assert_eq!(site_of("site/x"), None);
    }
}
