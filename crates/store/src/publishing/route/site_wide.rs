//! The routes of a whole site, as clients see them.

use policy::id::{ApiId, RouteId, SiteId, VersionId};
use policy::method::Methods;
use uuid::Uuid;

use super::methods;
use crate::base::error::StoreError;
use crate::base::tx::TenantTx;

/// A route with the path before its template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteRoute {
    /// The route's id.
    pub id: RouteId,
    /// The API that it belongs to.
    pub api_id: ApiId,
    /// The API's base path; `/` for none.
    pub base_path: String,
    /// The version that it belongs to.
    pub version_id: VersionId,
    /// The version's name.
    pub version_name: String,
    /// True if that is a segment of the path.
    pub version_in_path: bool,
    /// The methods that it serves.
    pub methods: Methods,
    /// The canonical template inside the version.
    pub path: String,
}

impl SiteRoute {
    /// Returns the segment between the base path and the template, if there is one.
    pub fn segment(&self) -> Option<&str> {
        self.version_in_path.then_some(&self.version_name)
    }
}

/// Reads all routes of a site, [`super::MAX_PER_SITE`] at most, oldest first.
pub async fn of_site(tx: &mut TenantTx, site: SiteId) -> Result<Vec<SiteRoute>, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    let rows = sqlx::query!(
        "SELECT r.id, a.id AS api_id, a.base_path, v.id AS version_id, v.name AS version_name,
                v.in_path AS version_in_path, r.methods, r.path
         FROM routes r
         JOIN api_versions v ON (v.tenant_id, v.site_id, v.id) = (r.tenant_id, r.site_id,
             r.version_id)
         JOIN apis a ON (a.tenant_id, a.site_id, a.id) = (v.tenant_id, v.site_id, v.api_id)
         WHERE r.tenant_id = $1 AND r.site_id = $2 ORDER BY r.id",
        tenant,
        Uuid::from(site)
    )
    .fetch_all(tx.conn())
    .await?;
    let routes = rows.into_iter().map(|row| SiteRoute {
        id: RouteId(row.id),
        api_id: ApiId(row.api_id),
        base_path: row.base_path,
        version_id: VersionId(row.version_id),
        version_name: row.version_name,
        version_in_path: row.version_in_path,
        methods: methods(row.methods),
        path: row.path,
    });
    Ok(routes.collect())
}
