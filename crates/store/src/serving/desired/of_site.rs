//! Finding the buckets of one site: for operators who look at it, not for serving.

use policy::id::SiteId;
use uuid::Uuid;

use crate::base::error::StoreError;
use crate::base::reader::SnapshotTx;

/// The most buckets of each kind in an answer: a look does not read a million keys.
const MOST_BUCKETS: i64 = 1_000;

/// The buckets that hold something of a site, in the order of their numbers.
#[derive(Clone, Debug, Default)]
pub struct BucketsOfSite {
    /// The buckets of credentials.
    pub credentials: Vec<u16>,
    /// The buckets of consumers.
    pub consumers: Vec<u16>,
    /// True if there are more than are named.
    pub more: bool,
}

/// Reads the site of a hostname.
pub async fn site_of_hostname(
    snapshot: &mut SnapshotTx,
    name: &str,
) -> Result<Option<SiteId>, StoreError> {
    let site = sqlx::query_scalar!("SELECT site_id FROM hostnames WHERE name = $1", name);
    Ok(site.fetch_optional(snapshot.conn()).await?.map(SiteId))
}

/// Reads the buckets that hold something of a site. It reads whole tables.
pub async fn buckets_of_site(
    snapshot: &mut SnapshotTx,
    site: SiteId,
) -> Result<BucketsOfSite, StoreError> {
    let site = Uuid::from(site);
    let credentials = sqlx::query_scalar!(
        r#"SELECT DISTINCT bucket AS "bucket!" FROM unrevoked_credentials
           WHERE site_id = $1 ORDER BY 1 LIMIT $2"#,
        site,
        MOST_BUCKETS + 1
    )
    .fetch_all(snapshot.conn())
    .await?;
    let consumers = sqlx::query_scalar!(
        r#"SELECT bucket AS "bucket!" FROM (
               SELECT consumer_bucket(id) AS bucket FROM consumers
               WHERE site_id = $1 AND has_settings
               UNION
               SELECT consumer_bucket(consumer_id) FROM unrevoked_credentials
               WHERE site_id = $1 AND in_consumer) AS b
           ORDER BY bucket LIMIT $2"#,
        site,
        MOST_BUCKETS + 1
    )
    .fetch_all(snapshot.conn())
    .await?;
    let more = [&credentials, &consumers].iter().any(|buckets| buckets.len() as i64 > MOST_BUCKETS);
    Ok(BucketsOfSite { credentials: numbers(credentials), consumers: numbers(consumers), more })
}

/// A CHECK of the tables rules out any other number.
fn numbers(buckets: Vec<i32>) -> Vec<u16> {
    buckets
        .into_iter()
        .take(MOST_BUCKETS as usize)
        .filter_map(|bucket| u16::try_from(bucket).ok())
        .collect()
}
