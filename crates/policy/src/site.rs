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
            if let (Some(route_id), Ok(template)) = (RouteId::from_slice(&route.id), Template::parse(&route.path)) {
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
