//! The JSON shape of a copy of a site.

use policy::host::BaseDomain;
use serde::Deserialize;
use store::{hostname, site};
use utoipa::ToSchema;

use super::model::Environment;
use crate::forms::check::Check;
use crate::http::body::present;
use crate::http::problem::Problem;

/// The own properties of a copy of a site.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SiteCopy {
    /// Its name.
    #[schema(min_length = 1, max_length = 200, example = "Shop, staging")]
    name: String,
    /// The label of its own hostname. Unique on the platform, and for good; some are reserved.
    #[schema(
        min_length = 1,
        max_length = 63,
        pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
        example = "acme-shop-staging"
    )]
    slug: String,
    /// The use of its keys; that of the original if it is absent. It cannot be changed.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    environment: Option<Environment>,
    /// The labels of more hostnames that it gets. Those of the original stay with the original.
    #[serde(default)]
    #[schema(max_items = 99, default = json!([]))]
    hostnames: Vec<String>,
}

impl SiteCopy {
    /// One hostname is the site's own.
    pub(super) const HOSTNAMES: usize = hostname::MAX_PER_SITE as usize - 1;

    pub(super) fn checked(self, base_domain: &BaseDomain) -> Result<site::SiteCopy, Problem> {
        let mut check = Check::new();
        check.name("name", &self.name);
        check.slug("slug", &self.slug);
        if self.hostnames.len() > Self::HOSTNAMES {
            check.refuse("hostnames", format!("must have {} items at most", Self::HOSTNAMES));
        }
        for (index, label) in self.hostnames.iter().enumerate() {
            check.slug(&format!("hostnames[{index}]"), label);
        }
        check.finish()?;
        Ok(site::SiteCopy {
            name: self.name,
            hostname: base_domain.name(&self.slug),
            slug: self.slug,
            environment: self.environment.map(Into::into),
            hostnames: self.hostnames.iter().map(|label| base_domain.name(label)).collect(),
        })
    }
}
