//! The change log as its readers follow it.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use policy::id::{SiteId, TenantId};
use policy::trace_parent::TraceParent;
use sqlx::postgres::PgListener;
use uuid::Uuid;

use crate::base::change::{CHANNEL, Change};
use crate::base::error::StoreError;
use crate::base::reader::{Reader, SnapshotTx};
use crate::base::tx::{PlatformTx, TenantTx};

/// An entry of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Logged {
    /// Its place in the order of commits. Numbers may be missing.
    pub seq: i64,
    /// The tenant whose change it was; nil for the platform.
    pub tenant: TenantId,
    /// The change.
    pub change: Change,
    /// The time of its writing, by PostgreSQL's clock: just before its commit.
    pub at: SystemTime,
    /// The place of its commit in a trace, if that was traced.
    pub trace: Option<TraceParent>,
}

/// Waits for notifications. It connects again by itself; the log has the changes that it missed
/// meanwhile.
#[derive(Debug)]
pub struct Listener(PgListener);

impl Listener {
    /// Waits until something may have changed: a notification came, or the connection was lost and
    /// made again.
    ///
    /// # Errors
    /// An error if PostgreSQL cannot be reached. Wait a moment, and call it again.
    pub async fn wait(&mut self) -> Result<(), StoreError> {
        self.0.try_recv().await?;
        // One reading of the log answers all notifications that have arrived.
        while self.0.next_buffered().is_some() {}
        Ok(())
    }
}

/// Listens for changes, on a connection of its own.
pub async fn listen(reader: &Reader) -> Result<Listener, StoreError> {
    let mut listener = PgListener::connect_with(&reader.pool).await?;
    listener.listen(CHANNEL).await?;
    Ok(Listener(listener))
}

impl SnapshotTx {
    /// Reads the highest number of the log, pruned or not; 0 before the first change.
    pub async fn head_seq(&mut self) -> Result<i64, StoreError> {
        let head = sqlx::query_scalar!(
            r#"SELECT coalesce(
                       (SELECT max(seq) FROM change_log),
                       (SELECT pruned_through FROM change_log_floor), 0) AS "head!""#
        )
        .fetch_one(self.conn())
        .await?;
        Ok(head)
    }

    /// Reads the changes after `seq`, in the order of commits.
    ///
    /// # Errors
    /// [`StoreError::ChangesLost`] if the log was pruned beyond `seq`, or ends before it: then the
    /// database was put back to an older state.
    pub async fn changes_since(&mut self, seq: i64, limit: u32) -> Result<Vec<Logged>, StoreError> {
        let floor = sqlx::query_scalar!("SELECT pruned_through FROM change_log_floor")
            .fetch_one(self.conn())
            .await?;
        if seq < floor || seq > self.head_seq().await? {
            return Err(StoreError::ChangesLost { seq });
        }
        let rows = sqlx::query!(
            "SELECT seq, tenant_id, kind, site_id, bucket, at, traceparent FROM change_log \
             WHERE seq > $1 ORDER BY seq LIMIT $2",
            seq,
            i64::from(limit)
        )
        .fetch_all(self.conn())
        .await?;
        let logged = rows.into_iter().filter_map(|row| {
            let bucket = row.bucket.and_then(|bucket| u16::try_from(bucket).ok());
            let change = match (row.kind.as_str(), row.site_id, bucket) {
                ("site", Some(site), _) => Change::Site(SiteId(site)),
                ("keys", _, Some(bucket)) => Change::Keys(bucket),
                ("consumers", _, Some(bucket)) => Change::Consumers(bucket),
                ("cells", ..) => Change::Cells,
                ("listeners", ..) => Change::Listeners(TenantId(row.tenant_id)),
                // A CHECK of the table rules this out.
                _ => return None,
            };
            Some(Logged {
                seq: row.seq,
                tenant: TenantId(row.tenant_id),
                change,
                at: row.at.into(),
                trace: row.traceparent.and_then(|text| text.parse().ok()),
            })
        });
        Ok(logged.collect())
    }
}

/// Removes entries older than `age`, and all before the youngest of them. Returns their number.
///
/// A reader that has not come so far gets [`StoreError::ChangesLost`] and reads everything. Keep an
/// hour at least, so that a restart does not cost that.
pub async fn prune(tx: &mut PlatformTx, age: Duration) -> Result<u64, StoreError> {
    let through = sqlx::query_scalar!(
        "SELECT max(seq) FROM change_log WHERE at < clock_timestamp() - make_interval(secs => $1)",
        age.as_secs_f64()
    )
    .fetch_one(tx.conn())
    .await?;
    let Some(through) = through else { return Ok(0) };
    sqlx::query!(
        "UPDATE change_log_floor SET pruned_through = greatest(pruned_through, $1)",
        through
    )
    .execute(tx.conn())
    .await?;
    let pruned =
        sqlx::query!("DELETE FROM change_log WHERE seq <= $1", through).execute(tx.conn()).await?;
    Ok(pruned.rows_affected())
}

/// Reads the number and time of the last change of a site; `None` if the log has none any more.
pub async fn last_of_site(
    tx: &mut TenantTx,
    site: SiteId,
) -> Result<Option<(i64, DateTime<Utc>)>, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    let last = sqlx::query!(
        "SELECT seq, at FROM change_log WHERE tenant_id = $1 AND site_id = $2
         ORDER BY seq DESC LIMIT 1",
        tenant,
        Uuid::from(site)
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(last.map(|last| (last.seq, last.at)))
}

/// Reads the number of the last change of the tenant; 0 if the log has none any more.
pub async fn last_of_tenant(tx: &mut TenantTx) -> Result<i64, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    let last = sqlx::query_scalar!("SELECT max(seq) FROM change_log WHERE tenant_id = $1", tenant);
    Ok(last.fetch_one(tx.conn()).await?.unwrap_or_default())
}

/// Reads the head of the log, and for each number the time of the first change after it; `None` for
/// a number that is not behind the head.
pub async fn behind(
    tx: &mut PlatformTx,
    seqs: &[i64],
) -> Result<(i64, Vec<Option<DateTime<Utc>>>), StoreError> {
    let head = sqlx::query_scalar!(
        r#"SELECT coalesce(
                   (SELECT max(seq) FROM change_log),
                   (SELECT pruned_through FROM change_log_floor), 0) AS "head!""#
    )
    .fetch_one(tx.conn())
    .await?;
    let since = sqlx::query_scalar!(
        r#"SELECT (SELECT at FROM change_log WHERE change_log.seq > asked.seq
                   ORDER BY change_log.seq LIMIT 1) AS since
           FROM unnest($1::bigint[]) WITH ORDINALITY AS asked (seq, place) ORDER BY place"#,
        seqs
    )
    .fetch_all(tx.conn())
    .await?;
    Ok((head, since))
}
