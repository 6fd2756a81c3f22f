//! The parts of sites that are not served because they are too large: xds-server writes them, and
//! their owners read them.

use chrono::{DateTime, Utc};
use policy::desired::{LeftOut, Object};
use policy::id::{ConsumerId, SiteId};
use uuid::Uuid;

use crate::base::error::StoreError;
use crate::base::reader::Reader;
use crate::base::tx::TenantTx;

/// The most parts that an owner is told of at once.
const TOLD: i64 = 100;

/// A bucket that has parts left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bucket {
    /// Of consumers.
    Consumers(u16),
    /// Of credentials.
    Keys(u16),
}

impl Bucket {
    fn columns(self) -> (&'static str, i32) {
        match self {
            Self::Consumers(number) => ("consumers", number.into()),
            Self::Keys(number) => ("keys", number.into()),
        }
    }
}

/// A part that is left out, for its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The consumer; `None` for credentials of several.
    pub consumer: Option<ConsumerId>,
    /// The reason, and the remedy.
    pub reason: String,
    /// The time since which it holds.
    pub at: DateTime<Utc>,
}

/// Replaces what is known of a bucket. Parts of sites that are gone are left alone.
pub async fn write(reader: &Reader, of: Bucket, parts: &[LeftOut]) -> Result<(), StoreError> {
    let (kind, bucket) = of.columns();
    let mut sites = Vec::with_capacity(parts.len());
    let mut consumers = Vec::with_capacity(parts.len());
    let mut reasons = Vec::with_capacity(parts.len());
    for part in parts {
        sites.push(Uuid::from(part.site));
        consumers.push(match part.object {
            Object::Consumer(id) => Uuid::from(id),
            Object::Credentials(_) => Uuid::nil(),
        });
        reasons.push(part.to_string());
    }
    let mut tx = reader.pool.begin().await?;
    sqlx::query!(
        "DELETE FROM left_out WHERE kind = $1 AND bucket = $2
           AND (site_id, consumer_id) NOT IN (SELECT * FROM unnest($3::uuid[], $4::uuid[]))",
        kind,
        bucket,
        &sites,
        &consumers
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "INSERT INTO left_out (tenant_id, site_id, kind, bucket, consumer_id, reason)
         SELECT s.tenant_id, s.id, $1, $2, part.consumer_id, part.reason
         FROM unnest($3::uuid[], $4::uuid[], $5::text[]) AS part (site_id, consumer_id, reason)
         JOIN sites s ON s.id = part.site_id
         ON CONFLICT (tenant_id, site_id, kind, bucket, consumer_id) DO UPDATE
             SET reason = excluded.reason WHERE left_out.reason <> excluded.reason",
        kind,
        bucket,
        &sites,
        &consumers,
        &reasons
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}

/// Forgets the parts of all buckets but these: everything has been read.
pub async fn keep(reader: &Reader, buckets: &[Bucket]) -> Result<(), StoreError> {
    let (kinds, numbers): (Vec<_>, Vec<_>) = buckets.iter().map(|bucket| bucket.columns()).unzip();
    let kinds: Vec<_> = kinds.into_iter().map(str::to_owned).collect();
    sqlx::query!(
        "DELETE FROM left_out
         WHERE (kind, bucket) NOT IN (SELECT * FROM unnest($1::text[], $2::integer[]))",
        &kinds,
        &numbers
    )
    .execute(&reader.pool)
    .await?;
    Ok(())
}

/// Reads the parts of a site that are left out, the newest first, a bounded number of them.
pub async fn of_site(tx: &mut TenantTx, site: SiteId) -> Result<Vec<Told>, StoreError> {
    let rows = sqlx::query!(
        "SELECT consumer_id, reason, at FROM left_out WHERE tenant_id = $1 AND site_id = $2
         ORDER BY at DESC, consumer_id LIMIT $3",
        Uuid::from(tx.tenant()),
        Uuid::from(site),
        TOLD
    )
    .fetch_all(tx.conn())
    .await?;
    let told = rows.into_iter().map(|row| Told {
        consumer: (!row.consumer_id.is_nil()).then_some(ConsumerId(row.consumer_id)),
        reason: row.reason,
        at: row.at,
    });
    Ok(told.collect())
}
