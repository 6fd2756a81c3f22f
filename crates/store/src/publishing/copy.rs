//! Copying a site: everything published in it, without its consumers.

use std::collections::HashMap;

use policy::desired::Secret;
use policy::id::{ApiId, IssuerId, SiteId, UpstreamId};
use policy::key::Environment;
use serde_json::json;
use uuid::Uuid;

use crate::base::audit::Entry;
use crate::base::error::StoreError;
use crate::base::page::Page;
use crate::base::seal::{Place, SecretsKey};
use crate::base::tx::TenantTx;
use crate::publishing::api::{self, NewApi};
use crate::publishing::hostname::{self, NewHostname};
use crate::publishing::issuer::{self, NewIssuer};
use crate::publishing::lock;
use crate::publishing::plan::{self, NewPlan};
use crate::publishing::route::{self, RouteSpec, VersionRef};
use crate::publishing::site::{self, NewSite, Site, SitePatch};
use crate::publishing::upstream::{self, NewUpstream};
use crate::publishing::version::{self, NewVersion};
use crate::tenancy::tenant;

/// The fields in which a copy differs from its original.
#[derive(Clone, Debug)]
pub struct SiteCopy {
    /// See [`Site::name`].
    pub name: String,
    /// See [`Site::slug`].
    pub slug: String,
    /// See [`NewSite::hostname`].
    pub hostname: String,
    /// See [`Site::environment`]; `None` for that of the original.
    pub environment: Option<Environment>,
    /// Whole canonical hostnames beside its own.
    pub hostnames: Vec<String>,
}

/// Copies a site: its settings, upstreams, APIs with their versions and routes, plans, and issuers
/// with their shared secrets, which are sealed anew for their places. References inside the site
/// lead to the copies. Hostnames, consumers with their credentials, and usage stay behind: they
/// belong to the callers of the original.
///
/// Nothing of the original changes meanwhile. The copies are made by the same functions as any
/// other object, so all limits hold.
///
/// # Errors
/// As [`site::create`]; [`StoreError::NoSecretsKey`] if an issuer has a secret and there is no
/// key; [`StoreError::Conflict`] on `hostnames`.
pub async fn copy(
    tx: &mut TenantTx,
    from: SiteId,
    new: SiteCopy,
    secrets: Option<&SecretsKey>,
) -> Result<Site, StoreError> {
    // The tenant before the site, as everything else locks them.
    tenant::lock_for_children(tx).await?;
    lock::whole(tx, from).await?;
    let original = site::get(tx, from).await?;
    let eager = original.eager;
    let site = NewSite {
        name: new.name,
        slug: new.slug,
        hostname: new.hostname,
        environment: new.environment.unwrap_or(original.environment),
        forward_credentials: original.forward_credentials,
        settings: original.settings,
    };
    let mut site = site::create(tx, site).await?;
    if eager {
        site =
            site::update(tx, site.id, SitePatch { eager: Some(true), ..Default::default() }, None)
                .await?;
    }
    for name in new.hostnames {
        hostname::create(tx, site.id, NewHostname { name }).await.map_err(|error| match error {
            StoreError::Conflict { value, .. } => {
                StoreError::Conflict { field: "hostnames", value }
            }
            other => other,
        })?;
    }
    let upstreams = upstreams(tx, from, site.id).await?;
    apis(tx, from, site.id, &upstreams).await?;
    for plan in plan::list(tx, from, Page::first(plan::MAX_PER_SITE)).await? {
        plan::create(tx, site.id, NewPlan { name: plan.name, settings: plan.settings }).await?;
    }
    issuers(tx, from, site.id, secrets).await?;
    let after = Some(json!({ "from": from.to_string() }));
    tx.record(Entry { action: "site.clone", object: site.id.into(), before: None, after });
    Ok(site)
}

/// The copies of the upstreams, by the ids of their originals.
type Upstreams = HashMap<UpstreamId, UpstreamId>;

async fn upstreams(tx: &mut TenantTx, from: SiteId, to: SiteId) -> Result<Upstreams, StoreError> {
    let mut copies = HashMap::new();
    for original in upstream::list(tx, from, Page::first(upstream::MAX_PER_SITE)).await? {
        let new = NewUpstream {
            name: original.name,
            endpoints: original.endpoints,
            protocol: original.protocol,
            connect_timeout_ms: original.connect_timeout_ms,
            request_timeout_ms: original.request_timeout_ms,
        };
        copies.insert(original.id, upstream::create(tx, to, new).await?.id);
    }
    Ok(copies)
}

/// Returns the copy of an upstream. Every reference leads to one of the same site, and none of them
/// has changed since they were copied.
fn copy_of(upstreams: &Upstreams, original: UpstreamId) -> Result<UpstreamId, StoreError> {
    upstreams.get(&original).copied().ok_or(StoreError::NotFound { what: "upstream" })
}

async fn apis(
    tx: &mut TenantTx,
    from: SiteId,
    to: SiteId,
    upstreams: &Upstreams,
) -> Result<(), StoreError> {
    for original in api::list(tx, from, Page::first(api::MAX_PER_SITE)).await? {
        let new = NewApi {
            name: original.name,
            base_path: original.base_path,
            strip_base_path: original.strip_base_path,
            settings: original.settings,
        };
        let copy = api::create(tx, to, new).await?.id;
        versions(tx, (from, original.id), (to, copy), upstreams).await?;
    }
    Ok(())
}

async fn versions(
    tx: &mut TenantTx,
    (from, of): (SiteId, ApiId),
    (to, into): (SiteId, ApiId),
    upstreams: &Upstreams,
) -> Result<(), StoreError> {
    for original in version::list(tx, from, of, Page::first(version::MAX_PER_API)).await? {
        let upstream_id = copy_of(upstreams, original.upstream_id)?;
        let new = NewVersion { name: original.name, in_path: original.in_path, upstream_id };
        let copy = version::create(tx, to, into, new).await?.id;
        let place = VersionRef { site: from, api: of, version: original.id };
        let mut routes = Vec::new();
        for route in route::list(tx, place, Page::first(route::MAX_PER_SITE)).await? {
            routes.push(RouteSpec {
                name: route.name,
                methods: route.methods,
                path: route.path,
                upstream_id: route.upstream_id.map(|id| copy_of(upstreams, id)).transpose()?,
                settings: route.settings,
            });
        }
        route::replace_all(tx, VersionRef { site: to, api: into, version: copy }, routes).await?;
    }
    Ok(())
}

async fn issuers(
    tx: &mut TenantTx,
    from: SiteId,
    to: SiteId,
    secrets: Option<&SecretsKey>,
) -> Result<(), StoreError> {
    for original in issuer::list(tx, from, Page::first(issuer::MAX_PER_SITE)).await? {
        let shared_secret = match original.has_secret {
            true => {
                Some(opened(tx, from, original.id, secrets.ok_or(StoreError::NoSecretsKey)?).await?)
            }
            false => None,
        };
        issuer::create(tx, to, NewIssuer { settings: original.settings, shared_secret }, secrets)
            .await?;
    }
    Ok(())
}

/// Opens the shared secret of an issuer.
async fn opened(
    tx: &mut TenantTx,
    site: SiteId,
    id: IssuerId,
    secrets: &SecretsKey,
) -> Result<Secret, StoreError> {
    let tenant = tx.tenant();
    let sealed = sqlx::query_scalar!(
        r#"SELECT secret_sealed AS "sealed!" FROM issuers
           WHERE tenant_id = $1 AND site_id = $2 AND id = $3"#,
        Uuid::from(tenant),
        Uuid::from(site),
        Uuid::from(id)
    )
    .fetch_one(tx.conn())
    .await?;
    secrets.open(Place { table: issuer::TABLE, tenant, row: id.into() }, &sealed).ok_or(
        StoreError::Invalid {
            field: "site_id",
            reason: format!(
                "the shared secret of the issuer {id} cannot be opened; set it again first"
            ),
        },
    )
}
