//! The change log: what xds-server has to read again.

use policy::id::{SiteId, TenantId};
use policy::trace_parent::TraceParent;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::base::error::StoreError;

/// The channel that is notified after each commit that changed something. The payload is only a
/// hint.
pub const CHANNEL: &str = "tenantry_changes";
/// The advisory lock of the writers: "tenantry" in ASCII, so that no other lock has this number by
/// chance.
const WRITERS_LOCK: i64 = i64::from_be_bytes(*b"tenantry");

/// A part of the desired state that xds-server has to read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// The site, as a whole. A site that is not there any more was removed.
    Site(SiteId),
    /// The bucket of credentials: API keys, signing keys, subjects.
    Keys(u16),
    /// The bucket of consumers ([`policy::consumer::bucket_of`]).
    Consumers(u16),
    /// The names of all cells. It is a change of the platform, whose tenant is nil.
    Cells,
    /// The listeners of a tenant.
    Listeners(TenantId),
}

/// Makes the order of sequence numbers that of commits: until this transaction ends, no other
/// writes to the log.
pub(crate) async fn lock(conn: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query!("SELECT pg_advisory_xact_lock($1)", WRITERS_LOCK).execute(conn).await?;
    Ok(())
}

/// Appends changes in this order, each with the place of its commit in a trace, and wakes the
/// readers once the transaction has committed. Returns the number of the last of them.
pub(crate) async fn write(
    conn: &mut PgConnection,
    changes: &[(TenantId, Change)],
    trace: Option<TraceParent>,
) -> Result<i64, StoreError> {
    let split = |change: &Change| match *change {
        Change::Site(site) => ("site".to_owned(), Some(Uuid::from(site)), None),
        Change::Keys(bucket) => ("keys".to_owned(), None, Some(i32::from(bucket))),
        Change::Consumers(bucket) => ("consumers".to_owned(), None, Some(i32::from(bucket))),
        Change::Cells => ("cells".to_owned(), None, None),
        Change::Listeners(_) => ("listeners".to_owned(), None, None),
    };
    let tenants: Vec<Uuid> = changes.iter().map(|(tenant, _)| Uuid::from(*tenant)).collect();
    let kinds: Vec<String> = changes.iter().map(|(_, change)| split(change).0).collect();
    let sites: Vec<Option<Uuid>> = changes.iter().map(|(_, change)| split(change).1).collect();
    let buckets: Vec<Option<i32>> = changes.iter().map(|(_, change)| split(change).2).collect();
    let written = sqlx::query!(
        r#"WITH written AS (
             INSERT INTO change_log (tenant_id, kind, site_id, bucket, traceparent)
             SELECT tenant_id, kind, site_id, bucket, $6
             FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::int[])
                 AS change (tenant_id, kind, site_id, bucket)
             RETURNING seq
         )
         SELECT coalesce(max(seq), 0) AS "seq!", pg_notify($5, max(seq)::text) FROM written"#,
        &tenants,
        &kinds,
        sites.as_slice() as &[Option<Uuid>],
        buckets.as_slice() as &[Option<i32>],
        CHANNEL,
        trace.map(|trace| trace.to_string())
    )
    .fetch_one(conn)
    .await?;
    Ok(written.seq)
}
