//! Reading why an Envoy does not have a change, for operators.

use chrono::{DateTime, Utc};
use policy::id::SiteId;
use uuid::Uuid;

use crate::base::error::StoreError;
use crate::base::reader::SnapshotTx;
use crate::serving::envoy::{self, StreamState};

/// A site that is not served as its owner configured it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The type of the resource that was refused; empty if none could be made.
    pub resource_type: String,
    /// Its name.
    pub resource: String,
    /// The reason of the refusal.
    pub reason: String,
    /// The time of the refusal.
    pub at: DateTime<Utc>,
    /// True if an older configuration is served instead.
    pub has_good: bool,
    /// The Envoys that have refused it, by their node ids.
    pub refused_by: Vec<String>,
}

/// Reads the open streams, of each Envoy the newest of each kind, by node and kind.
pub async fn streams(snapshot: &mut SnapshotTx) -> Result<Vec<StreamState>, StoreError> {
    let connected = envoy::connected_by(snapshot.conn()).await?;
    Ok(connected.into_iter().map(|stream| stream.state).collect())
}

/// Reads the quarantine of a site, if it is under one.
pub async fn held(snapshot: &mut SnapshotTx, site: SiteId) -> Result<Option<Held>, StoreError> {
    let site = Uuid::from(site);
    let row = sqlx::query!(
        r#"SELECT q.resource_type, q.resource, q.reason, q.at, q.good IS NOT NULL AS "has_good!",
                  ARRAY(SELECT r.node_id FROM refusals r WHERE r.site_id = q.site_id
                        ORDER BY r.node_id) AS "refused_by!"
           FROM quarantine q WHERE q.site_id = $1"#,
        site
    );
    let row = row.fetch_optional(snapshot.conn()).await?;
    Ok(row.map(|row| Held {
        resource_type: row.resource_type,
        resource: row.resource,
        reason: row.reason,
        at: row.at,
        has_good: row.has_good,
        refused_by: row.refused_by,
    }))
}
