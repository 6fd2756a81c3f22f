//! Usage: adding the reports of the worker VMs, each exactly once, and reading the sums.

mod lately;
mod query;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use policy::id::{ConsumerId, KeyId, RouteId, SiteId, TenantId};
use policy::usage::histogram::BUCKETS;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::base::error::StoreError;
use crate::base::pool;
use crate::base::tx::PlatformTx;

pub use lately::sites_used;
pub use query::{Grouping, Position, Query, Row, Step, read};

/// The most attempts to add sums when other transactions are in the way, such as the removal of a
/// tenant.
const ATTEMPTS: u32 = 4;

/// The key of a sum. All rows are written in its order: two transactions that add to the same rows
/// wait for each other, and never in a circle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The tenant that was called.
    pub tenant: TenantId,
    /// The hour in which the requests ended, counted from the Unix epoch.
    pub hour: u32,
    /// The site that was called.
    pub site: SiteId,
    /// The consumer, if one was authenticated.
    pub consumer: Option<ConsumerId>,
    /// Its credential.
    pub key: Option<KeyId>,
    /// The route, if one was found.
    pub route: Option<RouteId>,
    /// [`policy::usage::status_class`].
    pub status_class: u8,
}

/// The sums of one key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// The number of requests.
    pub requests: i64,
    /// Bytes from clients.
    pub request_bytes: i64,
    /// Bytes to clients.
    pub response_bytes: i64,
    /// The sum of the durations in microseconds.
    pub duration_us: i64,
    /// Requests by bucket of [`policy::usage::histogram`].
    pub histogram: [i64; BUCKETS],
}

impl Sums {
    /// Adds other sums to these.
    pub fn add(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.request_bytes = self.request_bytes.saturating_add(other.request_bytes);
        self.response_bytes = self.response_bytes.saturating_add(other.response_bytes);
        self.duration_us = self.duration_us.saturating_add(other.duration_us);
        for (count, more) in self.histogram.iter_mut().zip(other.histogram) {
            *count = count.saturating_add(more);
        }
    }
}

/// A report of a VM, with its sums.
#[derive(Clone, Debug)]
pub struct Report {
    /// The number that the VM drew when it started.
    pub reporter: [u8; 16],
    /// The number of the report.
    pub seq: i64,
    /// Its sums. Entries of the same key add up.
    pub entries: Vec<(Key, Sums)>,
}

/// The outcome of recording reports together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// True for each report that was added now. The others had been added before.
    pub added: Vec<bool>,
    /// The number of requests left out, because no such tenant has such a site any more.
    pub unknown_requests: i64,
}

/// The way in for adding usage, with the role `tenantry_xds`. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ledger {
    pool: PgPool,
}

impl Ledger {
    /// Connects with a login role that is a member of `tenantry_xds`.
    ///
    /// # Errors
    /// [`StoreError::UnsafeRole`] for a role that row security does not bind.
    pub async fn connect(url: &str, max_connections: u32) -> Result<Self, StoreError> {
        Ok(Self { pool: pool::connect(url, max_connections).await? })
    }

    /// Adds these reports to the sums, in one transaction: all of them or none. A report whose
    /// number is not above the last one of its reporter is in the sums already, and changes
    /// nothing. Each reporter may be named once.
    pub async fn record(&self, reports: &[Report]) -> Result<Recorded, StoreError> {
        let mut attempt = 1;
        loop {
            match self.try_record(reports).await {
                Err(error) if attempt < ATTEMPTS && is_passing(&error) => attempt += 1,
                outcome => return outcome,
            }
        }
    }

    async fn try_record(&self, reports: &[Report]) -> Result<Recorded, StoreError> {
        let mut tx = self.pool.begin().await?;
        let new = advance(&mut tx, reports).await?;
        let added: Vec<bool> =
            reports.iter().map(|report| new.contains(&report.reporter)).collect();
        let mut sums: BTreeMap<Key, Sums> = BTreeMap::new();
        for (report, _) in reports.iter().zip(&added).filter(|(_, added)| **added) {
            for (key, more) in &report.entries {
                sums.entry(*key).or_default().add(more);
            }
        }
        let unknown_requests = leave_out_unknown(&mut tx, &mut sums).await?;
        if !sums.is_empty() {
            add(&mut tx, &sums).await?;
        }
        tx.commit().await?;
        Ok(Recorded { added, unknown_requests })
    }
}

/// Returns true if another attempt is worth while at once: after a deadlock with the removal of a
/// tenant, or after the removal of a tenant between the check and the writing of its sums.
fn is_passing(error: &StoreError) -> bool {
    let StoreError::Database(database) = error else { return false };
    error.is_transient()
        || database.as_database_error().is_some_and(|error| error.is_foreign_key_violation())
}

/// Sets the last numbers of the reporters, and returns those whose report is new. The rows stay
/// locked until the end of the transaction, so that a second delivery of a report waits for the
/// outcome of the first.
async fn advance(
    conn: &mut PgConnection,
    reports: &[Report],
) -> Result<BTreeSet<[u8; 16]>, StoreError> {
    let last: BTreeMap<[u8; 16], i64> =
        reports.iter().map(|report| (report.reporter, report.seq)).collect();
    let reporters: Vec<Vec<u8>> = last.keys().map(|reporter| reporter.to_vec()).collect();
    let seqs: Vec<i64> = last.values().copied().collect();
    let new = sqlx::query_scalar!(
        "INSERT INTO usage_reporters AS known (reporter, last_seq)
         SELECT reporter, seq
         FROM unnest($1::bytea[], $2::bigint[]) WITH ORDINALITY AS given (reporter, seq, place)
         ORDER BY place
         ON CONFLICT (reporter) DO UPDATE
         SET last_seq = excluded.last_seq, seen_at = excluded.seen_at
         WHERE known.last_seq < excluded.last_seq
         RETURNING reporter",
        &reporters,
        &seqs
    )
    .fetch_all(conn)
    .await?;
    Ok(new.into_iter().filter_map(|reporter| reporter.try_into().ok()).collect())
}

/// Takes out the sums of sites that do not exist, or belong to another tenant than the report says;
/// returns their number of requests.
async fn leave_out_unknown(
    conn: &mut PgConnection,
    sums: &mut BTreeMap<Key, Sums>,
) -> Result<i64, StoreError> {
    let named: BTreeSet<Uuid> = sums.keys().map(|key| key.site.into()).collect();
    if named.is_empty() {
        return Ok(0);
    }
    let named: Vec<Uuid> = named.into_iter().collect();
    let rows = sqlx::query!("SELECT tenant_id, id FROM sites WHERE id = ANY ($1)", &named)
        .fetch_all(conn)
        .await?;
    let known: BTreeSet<(TenantId, SiteId)> =
        rows.into_iter().map(|row| (TenantId(row.tenant_id), SiteId(row.id))).collect();
    let mut unknown = 0_i64;
    sums.retain(|key, sums| {
        let keep = known.contains(&(key.tenant, key.site));
        if !keep {
            unknown = unknown.saturating_add(sums.requests);
        }
        keep
    });
    Ok(unknown)
}

/// Sums as the columns of one statement.
#[derive(Default)]
struct Columns {
    tenants: Vec<Uuid>,
    hours: Vec<DateTime<Utc>>,
    sites: Vec<Uuid>,
    consumers: Vec<Option<Uuid>>,
    keys: Vec<Option<Uuid>>,
    routes: Vec<Option<Uuid>>,
    status_classes: Vec<i16>,
    requests: Vec<i64>,
    request_bytes: Vec<i64>,
    response_bytes: Vec<i64>,
    durations_us: Vec<i64>,
    /// All in one array: PostgreSQL does not take apart arrays of arrays.
    histograms: Vec<i64>,
}

impl Columns {
    fn of(sums: &BTreeMap<Key, Sums>) -> Self {
        let mut columns = Self::default();
        for (key, sums) in sums {
            columns.tenants.push(key.tenant.into());
            columns.hours.push(start_of(key.hour));
            columns.sites.push(key.site.into());
            columns.consumers.push(key.consumer.map(Uuid::from));
            columns.keys.push(key.key.map(Uuid::from));
            columns.routes.push(key.route.map(Uuid::from));
            columns.status_classes.push(i16::from(key.status_class));
            columns.requests.push(sums.requests);
            columns.request_bytes.push(sums.request_bytes);
            columns.response_bytes.push(sums.response_bytes);
            columns.durations_us.push(sums.duration_us);
            columns.histograms.extend(sums.histogram);
        }
        columns
    }
}

fn start_of(hour: u32) -> DateTime<Utc> {
    DateTime::from_timestamp(i64::from(hour) * 3_600, 0).unwrap_or(DateTime::UNIX_EPOCH)
}

async fn add(conn: &mut PgConnection, sums: &BTreeMap<Key, Sums>) -> Result<(), StoreError> {
    let columns = Columns::of(sums);
    sqlx::query!(
        "INSERT INTO usage_hours AS known
             (tenant_id, hour, site_id, consumer_id, key_id, route_id, status_class,
              requests, request_bytes, response_bytes, duration_us, histogram)
         SELECT tenant_id, hour, site_id, consumer_id, key_id, route_id, status_class,
                requests, request_bytes, response_bytes, duration_us,
                ($12::bigint[])[(place - 1) * 16 + 1 : place * 16]
         FROM unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::uuid[], $5::uuid[],
                     $6::uuid[], $7::smallint[], $8::bigint[], $9::bigint[], $10::bigint[],
                     $11::bigint[]) WITH ORDINALITY
              AS given (tenant_id, hour, site_id, consumer_id, key_id, route_id, status_class,
                        requests, request_bytes, response_bytes, duration_us, place)
         ORDER BY place
         ON CONFLICT ON CONSTRAINT usage_hours_key DO UPDATE SET
             requests = known.requests + excluded.requests,
             request_bytes = known.request_bytes + excluded.request_bytes,
             response_bytes = known.response_bytes + excluded.response_bytes,
             duration_us = known.duration_us + excluded.duration_us,
             histogram = ARRAY[
                 known.histogram[1] + excluded.histogram[1],
                 known.histogram[2] + excluded.histogram[2],
                 known.histogram[3] + excluded.histogram[3],
                 known.histogram[4] + excluded.histogram[4],
                 known.histogram[5] + excluded.histogram[5],
                 known.histogram[6] + excluded.histogram[6],
                 known.histogram[7] + excluded.histogram[7],
                 known.histogram[8] + excluded.histogram[8],
                 known.histogram[9] + excluded.histogram[9],
                 known.histogram[10] + excluded.histogram[10],
                 known.histogram[11] + excluded.histogram[11],
                 known.histogram[12] + excluded.histogram[12],
                 known.histogram[13] + excluded.histogram[13],
                 known.histogram[14] + excluded.histogram[14],
                 known.histogram[15] + excluded.histogram[15],
                 known.histogram[16] + excluded.histogram[16]]",
        &columns.tenants,
        &columns.hours,
        &columns.sites,
        columns.consumers.as_slice() as &[Option<Uuid>],
        columns.keys.as_slice() as &[Option<Uuid>],
        columns.routes.as_slice() as &[Option<Uuid>],
        &columns.status_classes,
        &columns.requests,
        &columns.request_bytes,
        &columns.response_bytes,
        &columns.durations_us,
        &columns.histograms
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes sums of hours that began longer ago than `hours_age`, and reporters last heard longer
/// ago than `reporters_age`. Returns the numbers of rows of both.
///
/// A forgotten reporter could have an old report counted twice. That cannot happen while reporters
/// are kept for longer than the age at which the receiver refuses a report.
pub async fn prune(
    tx: &mut PlatformTx,
    hours_age: Duration,
    reporters_age: Duration,
) -> Result<(u64, u64), StoreError> {
    let hours = sqlx::query!(
        "DELETE FROM usage_hours WHERE hour < clock_timestamp() - make_interval(secs => $1)",
        hours_age.as_secs_f64()
    )
    .execute(tx.conn())
    .await?;
    let reporters = sqlx::query!(
        "DELETE FROM usage_reporters WHERE seen_at < clock_timestamp() - make_interval(secs => $1)",
        reporters_age.as_secs_f64()
    )
    .execute(tx.conn())
    .await?;
    Ok((hours.rows_affected(), reporters.rows_affected()))
}
