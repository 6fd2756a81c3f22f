//! Routes of a version: a set of methods and a path template.

use chrono::{DateTime, Utc};
use policy::id::{ApiId, RouteId, SiteId, UpstreamId, VersionId};
use policy::method::Methods;
use policy::settings::RouteSettings;
use serde_json::{Value, json};
use sqlx::types::Json;
use uuid::Uuid;

use crate::base::audit::{Audited, Entry};
use crate::base::error::StoreError;
use crate::base::id::new_id;
use crate::base::page::Page;
use crate::base::queries::rows;
use crate::base::settings::sparse;
use crate::base::tx::TenantTx;
use crate::publishing::lock;
use crate::publishing::version;

mod import;
mod site_wide;

pub use import::{ImportOutcome, diff, replace_all};
pub use site_wide::{SiteRoute, of_site};

/// The most routes of a site, in all its versions together: they make one RouteConfiguration
/// and one site policy.
pub const MAX_PER_SITE: u32 = 10_000;

/// The place of a version: the ids before a route's in a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionRef {
    /// The site.
    pub site: SiteId,
    /// The API of the site.
    pub api: ApiId,
    /// The version of the API.
    pub version: VersionId,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The route's id.
    pub id: RouteId,
    /// A name for people, 1 to 200 characters.
    pub name: Option<String>,
    /// The methods that it serves, one at least.
    pub methods: Methods,
    /// The canonical template inside the version. No two routes of a version share a method and a
    /// template's shape.
    pub path: String,
    /// The upstream; `None` for the version's.
    pub upstream_id: Option<UpstreamId>,
    /// The settings of its requests, beside those of its API.
    pub settings: RouteSettings,
    /// The number of changes, from 1.
    pub revision: i64,
    /// The time of its creation.
    pub created_at: DateTime<Utc>,
    /// The time of the last change.
    pub updated_at: DateTime<Utc>,
}

/// The fields of a new route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteSpec {
    /// See [`Route::name`].
    pub name: Option<String>,
    /// See [`Route::methods`].
    pub methods: Methods,
    /// See [`Route::path`].
    pub path: String,
    /// See [`Route::upstream_id`]: an upstream of the same site.
    pub upstream_id: Option<UpstreamId>,
    /// See [`Route::settings`]. An import that leaves a route where it is leaves its settings too.
    pub settings: RouteSettings,
}

/// A change of a route; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct RoutePatch {
    /// See [`Route::name`]; `Some(None)` takes it away.
    pub name: Option<Option<String>>,
    /// See [`Route::methods`].
    pub methods: Option<Methods>,
    /// See [`Route::path`].
    pub path: Option<String>,
    /// See [`Route::upstream_id`]; `Some(None)` goes back to the version's.
    pub upstream_id: Option<Option<UpstreamId>>,
    /// See [`Route::settings`]; they are replaced as a whole.
    pub settings: Option<RouteSettings>,
}

rows! { ($) route_rows =
    r#"id, name, methods, path, upstream_id, settings AS "settings: Json<RouteSettings>", revision,
       created_at, updated_at"#
    => |row| Route {
        id: RouteId(row.id),
        name: row.name,
        methods: methods(row.methods),
        path: row.path,
        upstream_id: row.upstream_id.map(UpstreamId),
        settings: row.settings.0,
        revision: row.revision,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

impl Audited for Route {
    fn form(&self) -> Value {
        json!({
            "name": self.name,
            "methods": self.methods.names().collect::<Vec<_>>(),
            "path": self.path,
            "upstream_id": self.upstream_id.map(|id| id.to_string()),
            "settings": sparse(&self.settings),
            "revision": self.revision,
        })
    }
}

const NOT_FOUND: StoreError = StoreError::NotFound { what: "route" };

/// Reads the bits of the database.
pub(crate) fn methods(bits: i16) -> Methods {
    Methods::from_bits(u32::from(bits.unsigned_abs()))
}

fn bits(methods: Methods) -> i16 {
    i16::try_from(methods.bits()).unwrap_or_default()
}

/// Makes a route.
///
/// # Errors
/// [`StoreError::Conflict`] on `path` if another route of the version has a method in common and a
/// template of the same shape; [`StoreError::Invalid`] if the site has no such upstream.
pub async fn create(
    tx: &mut TenantTx,
    version: VersionRef,
    new: RouteSpec,
) -> Result<Route, StoreError> {
    lock::children(tx, version.site).await?;
    version::lock(tx, version.site, version.api, version.version, None).await?;
    let tenant = Uuid::from(tx.tenant());
    let count = count(tx, version.site).await?;
    StoreError::at_limit(count, "routes of a site", MAX_PER_SITE)?;
    let id = RouteId(new_id());
    unless_overlapping(tx, version, id, &new.path, new.methods).await?;
    let route = route_rows!(
        "INSERT INTO routes
             (tenant_id, site_id, version_id, id, name, methods, path, upstream_id, settings)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING";
        tenant,
        Uuid::from(version.site),
        Uuid::from(version.version),
        Uuid::from(id),
        new.name,
        bits(new.methods),
        new.path,
        new.upstream_id.map(Uuid::from),
        sparse(&new.settings)
    )
    .fetch_one(tx.conn())
    .await?;
    tx.record(Entry::created("route.create", route.id, &route));
    tx.mark_site(version.site);
    Ok(route)
}

/// Reads a route.
pub async fn get(tx: &mut TenantTx, version: VersionRef, id: RouteId) -> Result<Route, StoreError> {
    version::get(tx, version.site, version.api, version.version).await?;
    let tenant = Uuid::from(tx.tenant());
    route_rows!(
        "SELECT",
        "FROM routes WHERE tenant_id = $1 AND site_id = $2 AND version_id = $3 AND id = $4";
        tenant,
        Uuid::from(version.site),
        Uuid::from(version.version),
        Uuid::from(id)
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(NOT_FOUND)
}

/// Reads a page of a version's routes.
pub async fn list(
    tx: &mut TenantTx,
    version: VersionRef,
    page: Page,
) -> Result<Vec<Route>, StoreError> {
    version::get(tx, version.site, version.api, version.version).await?;
    let tenant = Uuid::from(tx.tenant());
    Ok(route_rows!(
        "SELECT",
        "FROM routes WHERE tenant_id = $1 AND site_id = $2 AND version_id = $3 AND id > $4
         ORDER BY id LIMIT $5";
        tenant,
        Uuid::from(version.site),
        Uuid::from(version.version),
        page.after(),
        page.limit()
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Reads all routes of a version, oldest first.
async fn all_of_version(tx: &mut TenantTx, version: VersionRef) -> Result<Vec<Route>, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    Ok(route_rows!(
        "SELECT",
        "FROM routes WHERE tenant_id = $1 AND site_id = $2 AND version_id = $3 ORDER BY id";
        tenant,
        Uuid::from(version.site),
        Uuid::from(version.version)
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Changes a route.
///
/// # Errors
/// As [`create`].
pub async fn update(
    tx: &mut TenantTx,
    version: VersionRef,
    id: RouteId,
    patch: RoutePatch,
    expected_revision: Option<i64>,
) -> Result<Route, StoreError> {
    let before = lock(tx, version, id, expected_revision).await?;
    let tenant = Uuid::from(tx.tenant());
    let methods = patch.methods.unwrap_or(before.methods);
    let path = patch.path.unwrap_or_else(|| before.path.clone());
    unless_overlapping(tx, version, id, &path, methods).await?;
    let after = route_rows!(
        "UPDATE routes SET name = $4, methods = $5, path = $6, upstream_id = $7, settings = $8,
                revision = revision + 1, updated_at = now()
         WHERE tenant_id = $1 AND site_id = $2 AND id = $3 RETURNING";
        tenant,
        Uuid::from(version.site),
        Uuid::from(id),
        patch.name.unwrap_or_else(|| before.name.clone()),
        bits(methods),
        path,
        patch.upstream_id.unwrap_or(before.upstream_id).map(Uuid::from),
        sparse(patch.settings.as_ref().unwrap_or(&before.settings))
    )
    .fetch_one(tx.conn())
    .await?;
    tx.record(Entry::updated("route.update", id, &before, &after));
    tx.mark_site(version.site);
    Ok(after)
}

/// Removes a route.
pub async fn delete(
    tx: &mut TenantTx,
    version: VersionRef,
    id: RouteId,
    expected_revision: Option<i64>,
) -> Result<(), StoreError> {
    let before = lock(tx, version, id, expected_revision).await?;
    let tenant = Uuid::from(tx.tenant());
    sqlx::query!(
        "DELETE FROM routes WHERE tenant_id = $1 AND site_id = $2 AND id = $3",
        tenant,
        Uuid::from(version.site),
        Uuid::from(id)
    )
    .execute(tx.conn())
    .await?;
    tx.record(Entry::deleted("route.delete", id, &before));
    tx.mark_site(version.site);
    Ok(())
}

/// Reads a route and locks its version: changes of a version's routes follow each other.
async fn lock(
    tx: &mut TenantTx,
    version: VersionRef,
    id: RouteId,
    expected_revision: Option<i64>,
) -> Result<Route, StoreError> {
    version::lock(tx, version.site, version.api, version.version, None).await?;
    let route = get(tx, version, id).await?;
    StoreError::unless_expected(route.revision, expected_revision)?;
    Ok(route)
}

async fn count(tx: &mut TenantTx, site: SiteId) -> Result<i64, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM routes WHERE tenant_id = $1 AND site_id = $2"#,
        tenant,
        Uuid::from(site)
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Refuses a route that would match requests of another one of its version, which is locked.
async fn unless_overlapping(
    tx: &mut TenantTx,
    version: VersionRef,
    id: RouteId,
    path: &str,
    methods: Methods,
) -> Result<(), StoreError> {
    let tenant = Uuid::from(tx.tenant());
    // The expression is that of the generated column `shape`.
    let overlapping = sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM routes
               WHERE tenant_id = $1 AND site_id = $2 AND version_id = $3 AND id <> $4
                 AND shape = regexp_replace($5, '\{(\*?)[^{}]*\}', '{\1}', 'g')
                 AND methods & $6::smallint <> 0
           ) AS "overlapping!""#,
        tenant,
        Uuid::from(version.site),
        Uuid::from(version.version),
        Uuid::from(id),
        path,
        bits(methods)
    )
    .fetch_one(tx.conn())
    .await?;
    if overlapping {
        return Err(StoreError::Conflict { field: "path", value: path.to_owned() });
    }
    Ok(())
}
