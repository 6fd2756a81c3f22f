//! The sites that were used recently.

use std::collections::BTreeSet;
use std::time::Duration;

use policy::id::SiteId;

use crate::base::error::StoreError;
use crate::base::reader::Reader;

/// Reads the sites that were used within this time, as reported. Sums are kept by the hour, so a
/// site may stay among them for up to an hour longer.
pub async fn sites_used(reader: &Reader, within: Duration) -> Result<BTreeSet<SiteId>, StoreError> {
    let rows = sqlx::query_scalar!(
        "SELECT DISTINCT site_id FROM usage_hours
         WHERE hour > clock_timestamp() - make_interval(secs => $1) - interval '1 hour'",
        within.as_secs_f64()
    )
    .fetch_all(&reader.pool)
    .await?;
    Ok(rows.into_iter().map(SiteId).collect())
}
