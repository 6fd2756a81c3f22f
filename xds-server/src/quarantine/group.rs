//! A site's resources as one thing: the digest by which it is compared, and the form in which it is
//! kept.

use policy::desired::DesiredSite;
use policy::id::{SiteId, UpstreamId};
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use xds_api::pb::envoy::service::discovery::v3::{DeltaDiscoveryResponse, Resource as Kept};

use crate::resource::{Named, Resource, ResourceType};
use crate::translate;

/// The digest of a group.
pub(super) type Digest = [u8; 32];

/// The endpoints of a site as its owner wants them: the resolved ones change by themselves, with
/// the addresses of names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    digest: Digest,
    /// The upstreams that have names.
    named: BTreeSet<UpstreamId>,
}

impl Wanted {
    /// The endpoints of this site, with their names.
    pub fn of(site: &DesiredSite) -> Self {
        let mut hash = Sha256::new();
        let mut named = BTreeSet::new();
        for upstream in &site.upstreams {
            hash.update(upstream.id.to_string());
            for endpoint in &upstream.endpoints {
                hash.update((endpoint.address.len() as u64).to_be_bytes());
                hash.update(endpoint.address.as_bytes());
                hash.update(endpoint.port.to_be_bytes());
                hash.update(endpoint.weight.to_be_bytes());
                if translate::is_name(&endpoint.address) {
                    named.insert(upstream.id);
                }
            }
        }
        Self { digest: hash.finalize().into(), named }
    }
}

/// The digest of the part of a site that Envoy takes in, as its owner wants it. The filter's part
/// carries the keys of issuers, which change by themselves, and is never refused.
pub(super) fn digest(group: &[Named], wanted: &Wanted) -> Digest {
    let mut hash = Sha256::new();
    hash.update(wanted.digest);
    add(&mut hash, group, |kind| kind != ResourceType::Endpoints);
    hash.finalize().into()
}

/// The digest of all that Envoy takes in of a group.
pub(super) fn content(group: &[Named]) -> Digest {
    let mut hash = Sha256::new();
    add(&mut hash, group, |_| true);
    hash.finalize().into()
}

fn add(hash: &mut Sha256, group: &[Named], counts: impl Fn(ResourceType) -> bool) {
    let of_envoy = |kind: ResourceType| kind.is_sent_by_site() || kind == ResourceType::ScopedRoute;
    let mut parts: Vec<_> = group
        .iter()
        .filter(|named| of_envoy(named.kind) && counts(named.kind))
        .map(|named| (named.kind, named.name.as_str(), named.resource.version.as_str()))
        .collect();
    parts.sort_unstable();
    for (kind, name, version) in parts {
        for part in [kind.label(), name, version] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
    }
}

/// The digest that stands for resources that could not be made.
pub(super) fn digest_of_failure(reason: &str) -> Digest {
    let mut hash = Sha256::new();
    hash.update(b"not translated\0");
    hash.update(reason.as_bytes());
    hash.finalize().into()
}

/// A group as bytes: a discovery response that is never sent.
pub(super) fn encode(group: &[Named]) -> Vec<u8> {
    let kept = group.iter().map(|Named { name, resource, .. }| Kept {
        name: name.clone(),
        resource: Some(resource.body.clone()),
        ..Default::default()
    });
    DeltaDiscoveryResponse { resources: kept.collect(), ..Default::default() }.encode_to_vec()
}

/// Reads a group. Resources of types that this version of the program does not know are left out.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<Named>> {
    let kept = DeltaDiscoveryResponse::decode(bytes).ok()?.resources;
    let group = kept.into_iter().filter_map(|Kept { name, resource, .. }| {
        let body = resource?;
        let kind = ResourceType::from_type_url(&body.type_url)?;
        Some(Named { kind, name, resource: Resource::new(kind, body.value) })
    });
    Some(group.collect())
}

/// The last good group of a site, as it is to be served now. Its hostnames are the current ones, as
/// another site may have one that it gave up; so are the keys of its issuers, and the addresses of
/// names.
pub(super) fn as_of_now(good: &[Named], site: &DesiredSite, wanted: &Wanted) -> Vec<Named> {
    let mut group: Vec<_> =
        good.iter().filter(|named| named.kind != ResourceType::Host).cloned().collect();
    group.extend(translate::hosts(site));
    for upstream in site.upstreams.iter().filter(|upstream| wanted.named.contains(&upstream.id)) {
        let Ok(fresh) = translate::endpoints(site.site, upstream.id, &upstream.endpoints) else {
            continue;
        };
        for known in
            group.iter_mut().filter(|known| (known.kind, &known.name) == (fresh.kind, &fresh.name))
        {
            known.clone_from(&fresh);
        }
    }
    for issuer in &site.issuers {
        let Some(jwks) = &issuer.fetched_jwks else { continue };
        for named in group.iter_mut().filter(|named| named.kind == ResourceType::SitePolicy) {
            if let Some(rekeyed) = rekeyed(site.site, &named.resource, issuer.id, jwks) {
                *named = rekeyed;
            }
        }
    }
    group
}

fn rekeyed(
    site: SiteId,
    policy: &Resource,
    issuer: policy::id::IssuerId,
    jwks: &str,
) -> Option<Named> {
    translate::rekeyed(site, policy, &BTreeSet::from([issuer]), jwks)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(kind: ResourceType, content: &str) -> Named {
        Named { kind, name: "site/x".to_owned(), resource: Resource::new(kind, content.into()) }
    }

    #[test]
    fn a_group_reads_back() {
        let group = vec![named(ResourceType::Route, "r"), named(ResourceType::SitePolicy, "p")];
        assert_eq!(decode(&encode(&group)), Some(group));
        assert_eq!(decode(b"\xff"), None);
    }

    #[test]
    fn the_digest_is_of_what_envoy_takes_in_whatever_its_order() {
        let [route, cluster] = [named(ResourceType::Route, "r"), named(ResourceType::Cluster, "c")];
        let group = content(&[route.clone(), cluster.clone()]);
        assert_eq!(
            content(&[cluster.clone(), named(ResourceType::SitePolicy, "p"), route.clone()]),
            group
        );
        assert_ne!(content(&[route]), group);
        assert_ne!(content(&[named(ResourceType::Route, "r2"), cluster]), group);
    }

    #[test]
    fn addresses_that_names_have_make_no_difference_to_what_a_site_wants() {
        let endpoints =
            |content| [named(ResourceType::Route, "r"), named(ResourceType::Endpoints, content)];
        let wanted = Wanted::default();
        assert_eq!(digest(&endpoints("yesterday"), &wanted), digest(&endpoints("today"), &wanted));
        let other = Wanted { digest: [1; 32], ..Wanted::default() };
        assert_ne!(digest(&endpoints("today"), &other), digest(&endpoints("today"), &wanted));
    }
}
