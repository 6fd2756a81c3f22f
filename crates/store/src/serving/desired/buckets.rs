//! Reading the buckets of credentials: all three kinds at once.
//!
//! A million records are read at once, so each row carries the number of its consumer's plan, and a
//! flag for settings (see `migrations/0009_credentials.sql`): no other table is read.
//! `migrations/0025_working_credentials.sql` has the rule which credentials work.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use policy::desired::DesiredBucket;
use policy::id::{ConsumerId, KeyId, SiteId};
use policy::key::{CredentialKind, Digest, KeyRecord};
use uuid::Uuid;

use crate::base::error::StoreError;
use crate::base::reader::SnapshotTx;

/// The number of buckets that one step of [`all_buckets`] reads: of a million keys about 125,000,
/// some 20 MB. The keys of a bucket lie all over the table, so each step reads most of it: with a
/// quarter of this, reading everything took more than twice as long.
const BUCKETS_PER_STEP: u16 = 8192;

/// Reads the credentials of some buckets: the tables' indexes by bucket serve the condition.
macro_rules! working_credentials {
    ($condition:literal; $($arg:expr),+) => {
        sqlx::query_as!(
            Row,
            r#"SELECT bucket AS "bucket!", digest AS "digest!", site_id AS "site_id!",
                      consumer_id AS "consumer_id!", id AS "id!", expires_at, plan AS "plan!",
                      has_details AS "has_details!", kind AS "kind!"
               FROM working_credentials WHERE "# + $condition,
            $($arg),+
        )
    };
}

/// Reads buckets: one answer for each that is asked for, empty or not, in the order of their
/// numbers.
pub async fn buckets(
    snapshot: &mut SnapshotTx,
    buckets: &[u16],
) -> Result<Vec<DesiredBucket>, StoreError> {
    let numbers: Vec<i32> = buckets.iter().copied().map(i32::from).collect();
    let rows =
        working_credentials!("bucket = ANY($1)"; &numbers).fetch_all(snapshot.conn()).await?;
    let mut found: BTreeMap<u16, Vec<KeyRecord>> =
        buckets.iter().map(|bucket| (*bucket, Vec::new())).collect();
    gather(rows, &mut found);
    Ok(found.into_iter().map(|(bucket, keys)| DesiredBucket { bucket, keys }).collect())
}

/// A step through all buckets.
#[derive(Clone, Debug)]
pub struct Step {
    /// The buckets of this step that have records, in the order of their numbers.
    pub buckets: Vec<DesiredBucket>,
    /// The first bucket of the next step; `None` after the last.
    pub next: Option<u16>,
}

/// Reads the buckets from `first` on, a bounded number of them. Begin with 0 and go on with
/// [`Step::next`].
pub async fn all_buckets(snapshot: &mut SnapshotTx, first: u16) -> Result<Step, StoreError> {
    let last = first.saturating_add(BUCKETS_PER_STEP - 1);
    let rows = working_credentials!(
        "bucket BETWEEN $1 AND $2"; i32::from(first), i32::from(last)
    )
    .fetch_all(snapshot.conn())
    .await?;
    let mut found = BTreeMap::new();
    gather(rows, &mut found);
    let buckets = found.into_iter().map(|(bucket, keys)| DesiredBucket { bucket, keys }).collect();
    Ok(Step { buckets, next: last.checked_add(1) })
}

struct Row {
    bucket: i32,
    digest: Vec<u8>,
    site_id: Uuid,
    consumer_id: Uuid,
    id: Uuid,
    expires_at: Option<DateTime<Utc>>,
    plan: i16,
    has_details: bool,
    kind: String,
}

fn gather(rows: Vec<Row>, found: &mut BTreeMap<u16, Vec<KeyRecord>>) {
    for row in rows {
        // CHECKs of the tables rule out any other number or length.
        let (Ok(bucket), Ok(digest)) =
            (u16::try_from(row.bucket), <[u8; 32]>::try_from(row.digest))
        else {
            continue;
        };
        found.entry(bucket).or_default().push(KeyRecord {
            digest: Digest(digest),
            site: SiteId(row.site_id),
            consumer: ConsumerId(row.consumer_id),
            key: KeyId(row.id),
            expires_at_ms: row.expires_at.map(|at| at.timestamp_millis().unsigned_abs()),
            plan: row.plan.unsigned_abs(),
            kind: match row.kind.as_str() {
                "api_key" => CredentialKind::ApiKey,
                "signing_key" => CredentialKind::SigningKey,
                _ => CredentialKind::Subject,
            },
            has_details: row.has_details,
        });
    }
}
