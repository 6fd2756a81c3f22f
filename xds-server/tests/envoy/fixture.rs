//! Desired sites to serve.

use policy::desired::{
    DesiredEndpoint, DesiredRoute, DesiredSite, DesiredUpstream, UpstreamProtocol,
};
use policy::id::{ApiId, RouteId, SiteId, TenantId, UpstreamId, Uuid};
use policy::method::Methods;

pub(crate) fn site_id(number: u128) -> SiteId {
    SiteId(Uuid::from_u128(number))
}

pub(crate) fn route_id(number: u128) -> RouteId {
    RouteId(Uuid::from_u128(0x100 + number))
}

/// The header by which the filter tells that it has chosen this route.
pub(crate) fn chosen(site: u128, route: u128) -> String {
    format!("x-tenantry-route: {},{}", site_id(site), route_id(route))
}

/// A site with one upstream at this port, and with these routes under `/base/v1`.
pub(crate) fn site(number: u128, port: u16, routes: impl IntoIterator<Item = u128>) -> DesiredSite {
    let upstream = UpstreamId(Uuid::from_u128(0x1000 + number));
    let route = |number| DesiredRoute {
        id: route_id(number),
        api: ApiId(Uuid::nil()),
        settings: Default::default(),
        methods: Methods::ALL,
        prefix: "/base/v1".to_owned(),
        template: "/{*rest}".to_owned(),
        strip_prefix: true,
        upstream,
    };
    DesiredSite {
        tenant: TenantId(Uuid::from_u128(0x2000 + number)),
        tenant_settings: Default::default(),
        site: site_id(number),
        settings: Default::default(),
        issuers: Vec::new(),
        plans: Vec::new(),
        apis: Default::default(),
        hostnames: vec![format!("site-{number}.gw.localhost")],
        forward_credentials: false,
        eager: false,
        upstreams: vec![DesiredUpstream {
            id: upstream,
            endpoints: vec![DesiredEndpoint { address: "127.0.0.1".to_owned(), port, weight: 1 }],
            protocol: UpstreamProtocol::Http1,
            connect_timeout_ms: 20_000,
            request_timeout_ms: 60_000,
        }],
        routes: routes.into_iter().map(route).collect(),
    }
}
