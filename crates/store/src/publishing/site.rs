//! Sites: a tenant's gateway workspaces.

use chrono::{DateTime, Utc};
use policy::id::SiteId;
use policy::key::Environment;
use policy::settings::SiteSettings;
use serde_json::{Value, json};
use sqlx::types::Json;
use uuid::Uuid;

use crate::base::audit::{Audited, Entry};
use crate::base::error::StoreError;
use crate::base::id::new_id;
use crate::base::mark;
use crate::base::page::Page;
use crate::base::queries::rows;
use crate::base::settings::sparse;
use crate::base::tx::{Sealed as _, TenantTx};
use crate::publishing::{hostname, lock};
use crate::tenancy::tenant;

/// The most sites of a tenant: a whole cell serves 5 to 10 thousand.
pub const MAX_PER_TENANT: u32 = 1_000;

/// A site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The site's id.
    pub id: SiteId,
    /// A name for people, 1 to 200 characters.
    pub name: String,
    /// The DNS label of the site's own hostname. Unique on the platform, and for good.
    pub slug: String,
    /// The environment of its keys. It is part of their text, so it is for good.
    pub environment: Environment,
    /// True if the caller's credential reaches the upstreams.
    pub forward_credentials: bool,
    /// True if the Envoys load its routes and clusters before its first request. It costs each of
    /// them memory.
    pub eager: bool,
    /// The settings of its requests.
    pub settings: SiteSettings,
    /// The number of changes, from 1.
    pub revision: i64,
    /// The time of its creation.
    pub created_at: DateTime<Utc>,
    /// The time of the last change.
    pub updated_at: DateTime<Utc>,
}

/// The fields of a new site.
#[derive(Clone, Debug)]
pub struct NewSite {
    /// See [`Site::name`].
    pub name: String,
    /// See [`Site::slug`].
    pub slug: String,
    /// The whole canonical hostname `<slug>.<base domain>`, made with the site.
    pub hostname: String,
    /// See [`Site::environment`].
    pub environment: Environment,
    /// See [`Site::forward_credentials`].
    pub forward_credentials: bool,
    /// See [`Site::settings`].
    pub settings: SiteSettings,
}

/// A change of a site; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct SitePatch {
    /// See [`Site::name`].
    pub name: Option<String>,
    /// See [`Site::forward_credentials`].
    pub forward_credentials: Option<bool>,
    /// See [`Site::eager`].
    pub eager: Option<bool>,
    /// See [`Site::settings`]; they are replaced as a whole.
    pub settings: Option<SiteSettings>,
}

rows! { ($) site_rows =
    r#"id, name, slug, environment, forward_credentials, eager,
       settings AS "settings: Json<SiteSettings>", revision, created_at, updated_at"#
    => |row| Site {
        id: SiteId(row.id),
        name: row.name,
        slug: row.slug,
        // A CHECK of the table leaves no third value.
        environment: Environment::named(&row.environment).unwrap_or(Environment::Test),
        forward_credentials: row.forward_credentials,
        eager: row.eager,
        settings: row.settings.0,
        revision: row.revision,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

impl Audited for Site {
    fn form(&self) -> Value {
        json!({
            "name": self.name,
            "slug": self.slug,
            "environment": self.environment.as_str(),
            "forward_credentials": self.forward_credentials,
            "eager": self.eager,
            "settings": sparse(&self.settings),
            "revision": self.revision,
        })
    }
}

const NOT_FOUND: StoreError = StoreError::NotFound { what: "site" };

/// Makes a site, and its own hostname.
pub async fn create(tx: &mut TenantTx, new: NewSite) -> Result<Site, StoreError> {
    tenant::lock_for_children(tx).await?;
    let tenant = Uuid::from(tx.tenant());
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM sites WHERE tenant_id = $1"#,
        tenant
    )
    .fetch_one(tx.conn())
    .await?;
    StoreError::at_limit(count, "sites of a tenant", MAX_PER_TENANT)?;
    let site = site_rows!(
        "INSERT INTO sites (tenant_id, id, name, slug, environment, forward_credentials, settings)
         VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING";
        tenant,
        new_id(),
        new.name,
        new.slug,
        new.environment.as_str(),
        new.forward_credentials,
        sparse(&new.settings)
    )
    .fetch_one(tx.conn())
    .await
    .map_err(|error| StoreError::unique(error, &[("sites_slug_key", "slug", &new.slug)]))?;
    tx.record(Entry::created("site.create", site.id, &site));
    tx.mark_site(site.id);
    // The name may be an additional hostname of another site: to the caller, the slug is taken.
    hostname::insert(tx, site.id, &new.hostname, true).await.map_err(|error| match error {
        StoreError::Conflict { .. } => StoreError::Conflict { field: "slug", value: new.slug },
        other => other,
    })?;
    Ok(site)
}

/// Reads a site.
pub async fn get(tx: &mut TenantTx, id: SiteId) -> Result<Site, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    site_rows!(
        "SELECT", "FROM sites WHERE tenant_id = $1 AND id = $2"; tenant, Uuid::from(id)
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(NOT_FOUND)
}

/// Reads a page of the tenant's sites, oldest first: of all, or only of those in `only`.
pub async fn list(
    tx: &mut TenantTx,
    only: Option<&[Uuid]>,
    page: Page,
) -> Result<Vec<Site>, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    let listed = site_rows!(
        "SELECT",
        "FROM sites
         WHERE tenant_id = $1 AND id > $2 AND ($4::uuid[] IS NULL OR id = ANY($4))
         ORDER BY id LIMIT $3";
        tenant,
        page.after(),
        page.limit(),
        only
    )
    .fetch_all(tx.conn())
    .await?;
    if listed.is_empty() {
        tenant::require(tx).await?;
    }
    Ok(listed)
}

/// Changes a site.
pub async fn update(
    tx: &mut TenantTx,
    id: SiteId,
    patch: SitePatch,
    expected_revision: Option<i64>,
) -> Result<Site, StoreError> {
    lock::children(tx, id).await?;
    let before = get(tx, id).await?;
    StoreError::unless_expected(before.revision, expected_revision)?;
    let tenant = Uuid::from(tx.tenant());
    let after = site_rows!(
        "UPDATE sites SET name = $3, forward_credentials = $4, settings = $5, eager = $6,
                revision = revision + 1, updated_at = now()
         WHERE tenant_id = $1 AND id = $2 RETURNING";
        tenant,
        Uuid::from(id),
        patch.name.unwrap_or_else(|| before.name.clone()),
        patch.forward_credentials.unwrap_or(before.forward_credentials),
        sparse(patch.settings.as_ref().unwrap_or(&before.settings)),
        patch.eager.unwrap_or(before.eager)
    )
    .fetch_one(tx.conn())
    .await?;
    tx.record(Entry::updated("site.update", id, &before, &after));
    tx.mark_site(id);
    Ok(after)
}

/// Removes a site with everything in it. Its traffic and its keys end at once.
pub async fn delete(
    tx: &mut TenantTx,
    id: SiteId,
    expected_revision: Option<i64>,
) -> Result<(), StoreError> {
    lock::whole(tx, id).await?;
    let before = get(tx, id).await?;
    StoreError::unless_expected(before.revision, expected_revision)?;
    let tenant = Uuid::from(tx.tenant());
    // The site's row is locked, and a new credential would hold it: no bucket is missing.
    let owner = tx.tenant();
    mark::credentials_of_sites(tx.core(), owner, &[Uuid::from(id)]).await?;
    sqlx::query!("DELETE FROM sites WHERE tenant_id = $1 AND id = $2", tenant, Uuid::from(id))
        .execute(tx.conn())
        .await?;
    tx.record(Entry::deleted("site.delete", id, &before));
    tx.mark_site(id);
    Ok(())
}
