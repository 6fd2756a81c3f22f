//! A site as the filter uses it: its pushed policy, decoded once and kept while it does not change.

use crate::id::{RouteId, SiteId, TenantId};
use crate::method::Methods;
use crate::path::Template;
use crate::router::Router;
use crate::wire::SitePolicy;

/// A decoded [`SitePolicy`].
#[derive(Debug)]
pub struct Site {
    /// The owner of the site.
    pub tenant: TenantId,
    /// The site itself.
    pub id: SiteId,
    /// Whether the caller's credential reaches the upstream.
    pub forward_credentials: bool,
    /// The routes of the site.
    pub router: Router,
}

impl Site {
    /// Reads the bytes of a pushed [`SitePolicy`]. `None` if they are none, or if their tenant is no id: such a site does
    /// not exist. A route that cannot be read is left out, so that it is not found: the others go on.
    pub fn decode(id: SiteId, policy: &[u8]) -> Option<Self> {
        let policy = <SitePolicy as prost::Message>::decode(policy).ok()?;
        let mut router = Router::default();
        for route in &policy.routes {
            if let (Some(route_id), Ok(template)) = (RouteId::from_slice(&route.id), Template::parse_whole(&route.path))
            {
                router.insert(&template, Methods::from_bits(route.methods), route_id);
            }
        }
        Some(Self {
            tenant: TenantId::from_slice(&policy.tenant)?,
            id,
            forward_credentials: policy.forward_credentials,
            router,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::desired::{DesiredRoute, DesiredSite};
    use crate::id::{ApiId, UpstreamId, Uuid};
    use crate::router::RouteMatch;
    use crate::settings::{RouteSettings, SiteSettings, TenantSettings};

    /// Whatever is accepted piece by piece is served as a whole: the longest base path and version, the longest template.
    #[test]
    fn the_longest_path_is_found() {
        let id = Uuid::from_u128(1);
        for (prefix, template) in [
            (format!("/{}/{}", "b".repeat(511), "v".repeat(64)), format!("/{}", "t".repeat(1023))),
            (format!("{}/v1", "/b".repeat(256)), "/t".repeat(64)),
        ] {
            Template::parse(&template).expect("a template that the admin API takes");
            let whole = format!("{prefix}{template}");
            let route = DesiredRoute {
                id: RouteId(id),
                api: ApiId(id),
                settings: RouteSettings::default(),
                methods: Methods::ALL,
                prefix,
                template,
                strip_prefix: true,
                upstream: UpstreamId(id),
            };
            let desired = DesiredSite {
                tenant: TenantId(id),
                tenant_settings: TenantSettings::default(),
                site: SiteId(id),
                settings: SiteSettings::default(),
                issuers: Vec::new(),
                plans: Vec::new(),
                apis: BTreeMap::new(),
                hostnames: Vec::new(),
                forward_credentials: false,
                upstreams: Vec::new(),
                routes: vec![route],
            };
            let policy = prost::Message::encode_to_vec(&SitePolicy::of(&desired, Vec::new()));
            let site = Site::decode(SiteId(id), &policy).expect("a policy");
            assert_eq!(site.router.find(Methods::ALL, whole.as_bytes()), RouteMatch::Route(RouteId(id)));
        }
    }
}
