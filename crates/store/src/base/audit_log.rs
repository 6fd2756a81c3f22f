//! Reading the audit log.

use std::num::NonZeroU32;

use chrono::{DateTime, Utc};
use policy::id::TenantId;
use serde_json::value::RawValue;
use sqlx::types::Json;
use uuid::Uuid;

use crate::base::audit::AuditRow;
use crate::base::audit::chain::{Checker, Fault, Intact, Noted};
use crate::base::error::StoreError;
use crate::base::tx::{AuditTx, ScopedTx, Sealed as _};

/// The number of rows read at a time to verify a chain: each can have settings of a megabyte,
/// twice.
const VERIFY_ROWS: NonZeroU32 = NonZeroU32::new(64).expect("it is not 0");

/// A filter of rows; `None` filters nothing.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The actor.
    pub actor: Option<Uuid>,
    /// The action, such as `route.create`.
    pub action: Option<String>,
    /// The noun of the action: `route` for all `route.` actions.
    pub noun: Option<String>,
    /// The object.
    pub object: Option<Uuid>,
    /// The earliest time.
    pub from: Option<DateTime<Utc>>,
    /// The time before which all rows are.
    pub to: Option<DateTime<Utc>>,
    /// The request.
    pub request: Option<String>,
}

/// A place among the rows of all chains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The time of the row.
    pub at: DateTime<Utc>,
    /// The owner of the chain; nil for the platform.
    pub tenant: Uuid,
    /// The place in that chain.
    pub seq: i64,
}

/// The last row of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The owner of the chain; nil for the platform.
    pub tenant: Uuid,
    /// Its number, which is the number of rows.
    pub seq: i64,
    /// Its hash, in hexadecimal digits.
    pub hash: String,
}

/// A query of rows of the audit log: the text after its name, and the arguments.
macro_rules! audit_rows {
    ($rest:literal; $($arg:expr),+ $(,)?) => {
        sqlx::query_as!(
            AuditRow,
            r#"SELECT tenant_id, seq, at, actor_kind, actor_id, request_id, host(source) AS source,
                      action, object_id, before AS "before: Json<Box<RawValue>>",
                      after AS "after: Json<Box<RawValue>>",
                      encode(prev_hash, 'hex') AS "prev_hash!", encode(hash, 'hex') AS "hash!"
               FROM audit_log "# + $rest,
            $($arg),+
        )
    };
}

/// Reads the newest rows of a chain before a place, newest first.
pub async fn newest(
    tx: &mut impl ScopedTx,
    tenant: TenantId,
    filter: &Filter,
    before_seq: Option<i64>,
    limit: u32,
) -> Result<Vec<AuditRow>, StoreError> {
    plan_for_what_is_asked(tx).await?;
    let rows = audit_rows!(
        "WHERE tenant_id = $1 AND seq < $2
           AND ($3::uuid IS NULL OR actor_id = $3) AND ($4::text IS NULL OR action = $4)
           AND ($5::text IS NULL OR split_part(action, '.', 1) = $5)
           AND ($6::uuid IS NULL OR object_id = $6)
           AND ($7::timestamptz IS NULL OR at >= $7) AND ($8::timestamptz IS NULL OR at < $8)
           AND ($9::text IS NULL OR request_id = $9)
         ORDER BY seq DESC LIMIT $10";
        Uuid::from(tenant),
        before_seq.unwrap_or(i64::MAX),
        filter.actor,
        filter.action.as_deref(),
        filter.noun.as_deref(),
        filter.object,
        filter.from,
        filter.to,
        filter.request.as_deref(),
        i64::from(limit)
    );
    Ok(rows.fetch_all(tx.core().conn()).await?)
}

/// Reads the newest rows of all chains before a place, newest first.
pub async fn newest_of_all(
    tx: &mut AuditTx,
    filter: &Filter,
    before: Option<Position>,
    limit: u32,
) -> Result<Vec<AuditRow>, StoreError> {
    plan_for_what_is_asked(tx).await?;
    let before = before.unwrap_or(Position {
        at: DateTime::<Utc>::MAX_UTC,
        tenant: Uuid::max(),
        seq: i64::MAX,
    });
    let rows = audit_rows!(
        "WHERE (at, tenant_id, seq) < ($1, $2, $3)
           AND ($4::uuid IS NULL OR actor_id = $4) AND ($5::text IS NULL OR action = $5)
           AND ($6::text IS NULL OR split_part(action, '.', 1) = $6)
           AND ($7::uuid IS NULL OR object_id = $7)
           AND ($8::timestamptz IS NULL OR at >= $8) AND ($9::timestamptz IS NULL OR at < $9)
           AND ($10::text IS NULL OR request_id = $10)
         ORDER BY at DESC, tenant_id DESC, seq DESC LIMIT $11";
        before.at.min(LAST_TIME),
        before.tenant,
        before.seq,
        filter.actor,
        filter.action.as_deref(),
        filter.noun.as_deref(),
        filter.object,
        filter.from,
        filter.to,
        filter.request.as_deref(),
        i64::from(limit)
    );
    Ok(rows.fetch_all(tx.core().conn()).await?)
}

/// The end of the year 9999, the last time that PostgreSQL and Rust have in common.
const LAST_TIME: DateTime<Utc> =
    DateTime::from_timestamp_secs(253_402_300_799).expect("chrono has the year 9999");

/// Reads the rows of a chain after a place (0: from the first) and up to another, oldest first.
pub async fn following(
    tx: &mut impl ScopedTx,
    tenant: TenantId,
    after_seq: i64,
    last_seq: i64,
    limit: NonZeroU32,
) -> Result<Vec<AuditRow>, StoreError> {
    let rows = audit_rows!(
        "WHERE tenant_id = $1 AND seq > $2 AND seq <= $3 ORDER BY seq LIMIT $4";
        Uuid::from(tenant),
        after_seq,
        last_seq,
        i64::from(limit.get())
    );
    Ok(rows.fetch_all(tx.core().conn()).await?)
}

/// The last row of a chain.
pub async fn head(tx: &mut impl ScopedTx, tenant: TenantId) -> Result<Option<Head>, StoreError> {
    let head = sqlx::query_as!(
        Head,
        r#"SELECT tenant_id AS tenant, seq, encode(hash, 'hex') AS "hash!" FROM audit_log
           WHERE tenant_id = $1 ORDER BY seq DESC LIMIT 1"#,
        Uuid::from(tenant)
    );
    Ok(head.fetch_optional(tx.core().conn()).await?)
}

/// Reads the last rows of the chains that have grown since a time.
pub async fn heads(tx: &mut AuditTx, since: DateTime<Utc>) -> Result<Vec<Head>, StoreError> {
    let heads = sqlx::query_as!(
        Head,
        r#"SELECT DISTINCT ON (tenant_id) tenant_id AS tenant, seq, encode(hash, 'hex') AS "hash!"
           FROM audit_log
           WHERE at >= $1 ORDER BY tenant_id, seq DESC"#,
        since
    );
    Ok(heads.fetch_all(tx.core().conn()).await?)
}

/// Reads the owners of all chains, removed tenants and the platform included.
pub async fn chains(tx: &mut AuditTx) -> Result<Vec<TenantId>, StoreError> {
    let tenants =
        sqlx::query_scalar!("SELECT DISTINCT tenant_id FROM audit_log ORDER BY tenant_id");
    Ok(tenants.fetch_all(tx.core().conn()).await?.into_iter().map(TenantId).collect())
}

/// Reads a chain to its end, and computes every hash again.
pub async fn verify(
    tx: &mut impl ScopedTx,
    tenant: TenantId,
    noted: Noted,
) -> Result<Result<Intact, Fault>, StoreError> {
    let mut checker = Checker::new(noted);
    let mut after = 0;
    loop {
        let rows = following(tx, tenant, after, i64::MAX, VERIFY_ROWS).await?;
        let Some(last) = rows.last() else { break };
        after = last.seq;
        for row in &rows {
            if let Err(fault) = checker.take(row) {
                return Ok(Err(fault));
            }
        }
    }
    Ok(checker.end())
}

/// One query serves every filter: PostgreSQL has to look at the values to choose an index, each
/// time anew.
async fn plan_for_what_is_asked(tx: &mut impl ScopedTx) -> Result<(), StoreError> {
    sqlx::query_scalar!("SELECT set_config('plan_cache_mode', 'force_custom_plan', true)")
        .fetch_one(tx.core().conn())
        .await?;
    Ok(())
}
