//! `POST /v1/tenants/{tenant_id}/sites/{site_id}/clone`.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use store::{hostname, site};
use utoipa::ToSchema;

use super::{Environment, Site};
use crate::answer::Answer;
use crate::app::App;
use crate::base_domain::BaseDomain;
use crate::body::present;
use crate::check::Check;
use crate::extract::{At, Post};
use crate::problem::Problem;
use crate::routes::ids::SitePath;

/// What a copy of a site has of its own.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SiteCopy {
    /// What people call it.
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
    /// What its keys are meant for; that of the original if it is absent. For good.
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
    const HOSTNAMES: usize = hostname::MAX_PER_SITE as usize - 1;

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

/// Copies a site.
///
/// The copy has its settings, upstreams, APIs, versions, routes, plans and issuers, with the
/// issuers' shared secrets. It has new ids, a hostname of its own, and what refers to something of
/// the site refers to the copy of that. Hostnames, consumers, their keys and usage are not copied:
/// they belong to those who call the original.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/sites/{site_id}/clone",
    operation_id = "cloneSite", tag = "Sites", params(SitePath),
    request_body = SiteCopy, responses((status = 201, description = "The copy.", body = Site)))]
pub(super) async fn clone(
    State(app): State<App>,
    At(at): At<SitePath>,
    post: Post<SiteCopy>,
) -> Result<Response, Problem> {
    let new = post.body.checked(&app.base_domain)?;
    let mut tx = app.store.tenant(at.tenant_id, &post.caller.actor()).await?;
    if let Some(answer) = post.once.replay(&mut tx).await? {
        return Ok(answer);
    }
    let copy = Site::from(site::copy(&mut tx, at.site_id, new, app.secrets.as_deref()).await?);
    let place = format!("/v1/tenants/{}/sites/{}", at.tenant_id, copy.id);
    post.once.finish(tx, Answer::created(place, &copy)?).await
}
