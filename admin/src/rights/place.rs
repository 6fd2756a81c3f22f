//! The place that a request is about.

use policy::id::{SiteId, TenantId};

/// The tenant and the site that the path of a request names; `None` for text that is no id. It is
/// read once, by [`crate::layers::observe`], and travels as an extension of the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// No tenant.
    #[default]
    Platform,
    /// A tenant.
    Tenant(Option<TenantId>),
    /// A site of a tenant.
    Site(Option<TenantId>, Option<SiteId>),
}

impl Place {
    /// The tenant that the path names.
    pub fn tenant(self) -> Option<TenantId> {
        match self {
            Self::Platform => None,
            Self::Tenant(tenant) | Self::Site(tenant, _) => tenant,
        }
    }

    /// The site that the path names.
    pub fn site(self) -> Option<SiteId> {
        match self {
            Self::Platform | Self::Tenant(_) => None,
            Self::Site(_, site) => site,
        }
    }
}
