//! The users of an upstream: versions and routes, which keep it from being removed.

use policy::id::{SiteId, UpstreamId};
use uuid::Uuid;

use crate::base::error::StoreError;
use crate::base::tx::TenantTx;

/// A version or a route that sends traffic to an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamUser {
    /// `version` or `route`.
    pub kind: String,
    /// Its id.
    pub id: Uuid,
    /// The names of API and version; the name of the route, or its path.
    pub name: String,
}

/// Reads `limit` users of an upstream, versions first; none if there is no such upstream.
pub async fn users(
    tx: &mut TenantTx,
    site: SiteId,
    id: UpstreamId,
    limit: u32,
) -> Result<Vec<UpstreamUser>, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    Ok(sqlx::query_as!(
        UpstreamUser,
        r#"SELECT 'version' AS "kind!", v.id AS "id!", a.name || ' ' || v.name AS "name!"
           FROM api_versions v
           JOIN apis a ON (a.tenant_id, a.site_id, a.id) = (v.tenant_id, v.site_id, v.api_id)
           WHERE v.tenant_id = $1 AND v.site_id = $2 AND v.upstream_id = $3
           UNION ALL
           SELECT 'route', r.id, coalesce(r.name, r.path)
           FROM routes r WHERE r.tenant_id = $1 AND r.site_id = $2 AND r.upstream_id = $3
           ORDER BY 1 DESC, 2 LIMIT $4"#,
        tenant,
        Uuid::from(site),
        Uuid::from(id),
        i64::from(limit)
    )
    .fetch_all(tx.conn())
    .await?)
}
