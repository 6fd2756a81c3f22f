//! Why a site cannot be translated.

use policy::bounds::SITE_POLICY_BYTES;
use policy::id::{RouteId, SiteId, TenantId, UpstreamId};
use policy::path::MAX_PREFIX_SEGMENTS;
use thiserror::Error;

/// The faults of a desired site. Each names the object, so that its owner can be told.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TranslateError {
    /// A route leads to an upstream that the site does not have.
    #[error("route {route} leads to upstream {upstream}, which the site does not have")]
    UnknownUpstream {
        /// The route.
        route: RouteId,
        /// The upstream that it leads to.
        upstream: UpstreamId,
    },
    /// An endpoint's address is neither an IP address nor a DNS name.
    #[error(
        "upstream {upstream} has an endpoint with the address `{address}`, neither an IP address \
         nor a DNS name"
    )]
    EndpointAddress {
        /// The upstream.
        upstream: UpstreamId,
        /// The address, as given.
        address: String,
    },
    /// An endpoint's port or weight is zero.
    #[error("upstream {upstream} has an endpoint with a {field} of 0")]
    EndpointZero {
        /// The upstream.
        upstream: UpstreamId,
        /// `port` or `weight`.
        field: &'static str,
    },
    /// This program does not know the tenant's time zone: it is in no version of the IANA database
    /// that it has.
    #[error("the time zone `{time_zone}` of tenant {tenant} is not known")]
    TimeZone {
        /// The tenant.
        tenant: TenantId,
        /// The time zone, as given.
        time_zone: String,
    },
    /// A header in which the site takes keys cannot be removed from requests: Envoy refuses its
    /// name.
    #[error(
        "site {site} takes keys in the header {name:?}, which is no name of a header that can be \
         removed"
    )]
    HeaderName {
        /// The site.
        site: SiteId,
        /// The name, as given.
        name: String,
    },
    /// The prefix of a route has more segments than Envoy can take off.
    #[error(
        "the prefix of route {route} has more than {MAX_PREFIX_SEGMENTS} segments, and is to be \
         taken off"
    )]
    PrefixSegments {
        /// The route.
        route: RouteId,
    },
    /// The site's policy is larger than a VM of the filter can take.
    #[error(
        "the policy of site {site} takes {bytes} bytes, and {SITE_POLICY_BYTES} are allowed: use \
         shorter paths and fewer routes, scopes, limits and address ranges, or split the site"
    )]
    PolicyBytes {
        /// The site.
        site: SiteId,
        /// The bytes of its policy.
        bytes: usize,
    },
    /// A timeout is zero, which Envoy would take for none at all.
    #[error("upstream {upstream} has a {field} of 0")]
    NoTimeout {
        /// The upstream.
        upstream: UpstreamId,
        /// `connect_timeout_ms` or `request_timeout_ms`.
        field: &'static str,
    },
}
