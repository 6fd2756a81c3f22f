//! Desired state to xDS resources: pure and deterministic. The same desired state, with its lists
//! in any order, gives the same bytes; golden files under `tests/golden` show them.
//!
//! Architecture invariant: nothing here reads a clock, a file, the network or the database, and no
//! `map` field of a message with more than one entry is encoded from a hash map (`ordered` has
//! them).

mod access_log;
mod cluster;
mod endpoints;
mod error;
mod filter;
mod http_manager;
mod listener;
mod local_reply;
mod log_filter;
mod ordered;
mod problem;
pub(crate) mod protobuf;
mod route;
mod time_zone;

use std::collections::BTreeSet;
use std::sync::Arc;

use policy::bounds::SITE_POLICY_BYTES;
use policy::consumer;
use policy::desired::{DesiredBucket, DesiredConsumers, DesiredEndpoint, DesiredSite, LeftOut};
use policy::host::BaseDomain;
use policy::id::{IssuerId, SiteId, UpstreamId};
use policy::key::bucket_name;
use policy::wire::{ConsumerBucket, Host, KeyBucket, SYNC_NAME, SitePolicy, Sync};
use prost::Message as _;
use xds_api::pb::envoy::config::route::v3::{
    ScopedRouteConfiguration, scoped_route_configuration as scoped,
};

pub use endpoints::is_name;
pub(crate) use endpoints::socket;
pub use error::TranslateError;
pub use filter::{FILTER_NAME, extension_config};
pub use listener::{LISTENER_NAME, listener, tenant_listener, wanted_listener};

use crate::resource::{Named, Resource, ResourceType, route_name};

/// All resources of one site, for Envoy and for the filter.
///
/// # Errors
/// A value that Envoy would refuse, or a reference to something absent: the site then keeps what
/// it had.
pub fn site(desired: &DesiredSite) -> Result<Vec<Named>, TranslateError> {
    let site = desired.site;
    let mut resources =
        Vec::with_capacity(3 + 2 * desired.upstreams.len() + desired.hostnames.len());
    for upstream in &desired.upstreams {
        resources.extend(cluster::resources(site, upstream)?);
    }
    resources.push(Named::of(ResourceType::ScopedRoute, site.to_string(), &scope(desired)));
    resources.push(Named::of(
        ResourceType::Route,
        route_name(site),
        &route::configuration(desired)?,
    ));
    let time_zone = &desired.tenant_settings.time_zone;
    let offsets = time_zone::offsets(time_zone).ok_or_else(|| TranslateError::TimeZone {
        tenant: desired.tenant,
        time_zone: time_zone.clone(),
    })?;
    let policy = SitePolicy::of(desired, offsets);
    let bytes = policy.encoded_len();
    if bytes > SITE_POLICY_BYTES {
        return Err(TranslateError::PolicyBytes { site, bytes });
    }
    resources.push(Named::of(ResourceType::SitePolicy, site.to_string(), &policy));
    resources.extend(hosts(desired));
    resources.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
    Ok(resources)
}

/// The hostnames of a site.
pub fn hosts(desired: &DesiredSite) -> impl Iterator<Item = Named> {
    desired
        .hostnames
        .iter()
        .map(|hostname| Named::of(ResourceType::Host, hostname, &Host::of_site(desired.site)))
}

/// The endpoints of one upstream, as [`site`] makes them.
///
/// # Errors
/// A value that Envoy would refuse.
pub fn endpoints(
    site: SiteId,
    upstream: UpstreamId,
    endpoints: &[DesiredEndpoint],
) -> Result<Named, TranslateError> {
    let name = cluster::name(site, upstream);
    let assignment = endpoints::assignment(&name, upstream, endpoints)?;
    Ok(Named::of(ResourceType::Endpoints, name, &assignment))
}

/// The policy of a site with another set of keys for some of its issuers: the one that [`site`]
/// would make, if nothing else has changed. `None` if the resource is no policy, or has none of
/// these issuers.
pub fn rekeyed(
    site: SiteId,
    policy: &Resource,
    issuers: &BTreeSet<IssuerId>,
    jwks: &str,
) -> Option<Named> {
    let mut policy = SitePolicy::decode(policy.body.value.as_slice()).ok()?;
    let mut found = false;
    for issuer in &mut policy.issuers {
        if IssuerId::from_slice(&issuer.id).is_some_and(|id| issuers.contains(&id)) {
            jwks.clone_into(&mut issuer.jwks);
            found = true;
        }
    }
    found.then(|| Named::of(ResourceType::SitePolicy, site.to_string(), &policy))
}

/// A bucket as a resource.
#[derive(Debug)]
pub struct Bucket {
    /// The resource; none if the bucket is empty.
    pub resource: Option<Named>,
    /// The parts that do not fit: their credentials are refused.
    pub left_out: Vec<LeftOut>,
}

/// The resource of one bucket of credentials.
pub fn bucket(desired: &DesiredBucket) -> Bucket {
    let name = bucket_name(desired.bucket);
    let (bucket, left_out) = KeyBucket::fit(desired);
    let resource =
        (!bucket.records.is_empty()).then(|| Named::of(ResourceType::KeyBucket, name, &bucket));
    Bucket { resource, left_out }
}

/// The resource of one bucket of consumers.
pub fn consumers(desired: &DesiredConsumers) -> Bucket {
    let name = consumer::bucket_name(desired.bucket);
    let (bucket, left_out) = ConsumerBucket::fit(desired);
    let resource = (!bucket.consumers.is_empty())
        .then(|| Named::of(ResourceType::ConsumerBucket, name, &bucket));
    Bucket { resource, left_out }
}

/// The resources that belong to no tenant: the shared API host, and the mark of a complete sync.
pub fn platform(base_domain: &BaseDomain) -> Vec<Named> {
    vec![
        Named::of(ResourceType::Host, base_domain.shared_api(), &Host::shared()),
        Named::of(ResourceType::Sync, SYNC_NAME, &Sync {}),
    ]
}

/// The answer to a subscription to the routes of a site that does not exist: 404 for every request.
/// Envoy would wait for a missing RouteConfiguration, and hold the requests meanwhile.
pub fn no_such_site(name: &str) -> Named {
    Named::of(ResourceType::Route, name, &route::no_such_site(name))
}

/// The scope of a lazy site as it would be if the site were eager; none if it is.
pub fn eager(scope: &Resource) -> Option<Arc<Resource>> {
    let mut scope = ScopedRouteConfiguration::decode(scope.body.value.as_slice()).ok()?;
    let lazy = std::mem::replace(&mut scope.on_demand, false);
    lazy.then(|| Named::of(ResourceType::ScopedRoute, scope.name.clone(), &scope).resource)
}

/// The scope of a site: unless it is eager, its routes are loaded when the first request for it
/// arrives.
fn scope(desired: &DesiredSite) -> ScopedRouteConfiguration {
    let fragment = scoped::key::Fragment {
        r#type: Some(scoped::key::fragment::Type::StringKey(desired.site.to_string())),
    };
    ScopedRouteConfiguration {
        on_demand: !desired.eager,
        name: desired.site.to_string(),
        route_configuration_name: route_name(desired.site),
        route_configuration: None,
        key: Some(scoped::Key { fragments: vec![fragment] }),
    }
}
