//! The names of the headers that the parts of Tenantry agree on, in lower case, and of the ones
//! that problems and limits are told in.
//!
//! A client's headers under [`RESERVED_PREFIX`] are removed before the request is decided on, so
//! that an upstream can trust the context headers: [`TENANT`], [`SITE`], [`ROUTE`], [`CONSUMER`].

use crate::id::{RouteId, SiteId};

/// The prefix of the headers that only Tenantry may set.
pub const RESERVED_PREFIX: &str = "x-tenantry-";

/// The id of the tenant, for the upstream and the access log. Envoy's route adds it.
pub const TENANT: &str = "x-tenantry-tenant";

/// The id of the site, for the upstream and the access log. Envoy's route adds it.
pub const SITE: &str = "x-tenantry-site";

/// The route. The filter sets it to [`chosen_route`], by which Envoy finds the rest: one header,
/// since each call out of the filter costs Envoy more than that. Envoy's route then puts the
/// route's id in its place, which is all that the upstream sees.
pub const ROUTE: &str = "x-tenantry-route";

/// The character between site and route in [`chosen_route`].
pub const ROUTE_SEPARATOR: char = ',';

/// The id of the consumer, for the upstream and the access log. The filter adds it; it is absent
/// where no consumer was asked for.
pub const CONSUMER: &str = "x-tenantry-consumer";

/// The credential that must not reach the upstream, in the form of an `Authorization` value. The
/// filter moves it here, and Envoy's route removes it at the very end. It is not removed at once,
/// because a request that makes Envoy load a route configuration starts again from the first
/// filter, with its headers as the filters left them. So it is read as one more `Authorization`,
/// and a client that sends it itself gains nothing.
pub const CREDENTIAL: &str = "x-tenantry-credential";

/// The tenant whose own listener took the request. Envoy sets it before the first filter, in the
/// place of a value that the client sent. A client of another listener that sends it itself can
/// only reach less by it.
pub const LISTENER: &str = "x-tenantry-listener";

/// The client's address as Envoy tells it, at an edge that takes it from the connection or from
/// trusted proxies.
pub const CLIENT_ADDRESS: &str = "x-envoy-external-address";

/// The answer's header for the state of the tightest limit
/// (draft-ietf-httpapi-ratelimit-headers-10, section 4).
pub const RATE_LIMIT: &str = "ratelimit";

/// The answer's header for the limits themselves (draft-ietf-httpapi-ratelimit-headers-10,
/// section 3).
pub const RATE_LIMIT_POLICY: &str = "ratelimit-policy";

/// The value of [`ROUTE`] by which Envoy finds a route: `<site>,<route>`.
pub fn chosen_route(site: SiteId, route: RouteId) -> String {
    format!("{site}{ROUTE_SEPARATOR}{route}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_can_set_none_of_our_own() {
        for name in [TENANT, SITE, ROUTE, CONSUMER, CREDENTIAL, LISTENER] {
            assert!(name.starts_with(RESERVED_PREFIX), "{name}");
            assert_eq!(name, name.to_ascii_lowercase());
        }
    }

    #[test]
    fn a_chosen_route_is_the_site_and_the_route() {
        let (site, route) = (SiteId(uuid::Uuid::from_u128(1)), RouteId(uuid::Uuid::from_u128(2)));
        assert_eq!(
            chosen_route(site, route),
            "00000000-0000-0000-0000-000000000001,00000000-0000-0000-0000-000000000002"
        );
    }
}
