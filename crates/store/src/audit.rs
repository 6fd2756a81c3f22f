//! The audit log: one hash chain per tenant, which the database itself builds (see `migrations/0006_audit_log.sql`).

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use policy::id::TenantId;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::StoreError;
use crate::tx::{Actor, TenantTx};

/// One change, as the mutation that made it describes it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) action: &'static str,
    pub(crate) object: Uuid,
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
}

/// The form of an object in the audit log: an explicit list of fields, so that no secret gets in by being added to a row.
pub(crate) trait Audited {
    fn form(&self) -> Value;
}

impl Entry {
    pub(crate) fn created(action: &'static str, object: impl Into<Uuid>, after: &impl Audited) -> Self {
        Self { action, object: object.into(), before: None, after: Some(after.form()) }
    }

    pub(crate) fn updated<T: Audited>(action: &'static str, object: impl Into<Uuid>, before: &T, after: &T) -> Self {
        Self { action, object: object.into(), before: Some(before.form()), after: Some(after.form()) }
    }

    pub(crate) fn deleted(action: &'static str, object: impl Into<Uuid>, before: &impl Audited) -> Self {
        Self { action, object: object.into(), before: Some(before.form()), after: None }
    }
}

/// A row of the log.
#[derive(Clone, Debug)]
pub struct AuditRow {
    /// The place in the tenant's chain, from 1.
    pub seq: i64,
    /// When it was written.
    pub at: DateTime<Utc>,
    /// `operator`, `system`, `member` or `service`.
    pub actor_kind: String,
    /// The actor.
    pub actor_id: Uuid,
    /// The request that asked for the change.
    pub request_id: String,
    /// Where the request came from.
    pub source: Option<IpAddr>,
    /// What was done, such as `route.create`.
    pub action: String,
    /// The object that it was done to.
    pub object_id: Uuid,
    /// The object before, if there was one.
    pub before: Option<Value>,
    /// The object after, if there is one.
    pub after: Option<Value>,
    /// SHA-256 over the row and the hash of the row before.
    pub hash: Vec<u8>,
}

/// What is wrong with a chain, if anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every row is as it was written, and none is missing before the last.
    Intact {
        /// How many rows there are. Only a copy of this number elsewhere shows that the last rows were cut off.
        rows: i64,
    },
    /// The first row that was edited, or that follows a missing one.
    Broken {
        /// Its sequence number.
        seq: i64,
    },
}

/// The rows after a sequence number (0: from the first), oldest first.
pub async fn list(tx: &mut TenantTx, after_seq: i64, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    let rows = sqlx::query!(
        "SELECT seq, at, actor_kind, actor_id, request_id, host(source) AS source, action, object_id, before, after, hash
         FROM audit_log WHERE tenant_id = $1 AND seq > $2 ORDER BY seq LIMIT $3",
        tenant,
        after_seq,
        i64::from(limit)
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| AuditRow {
            seq: row.seq,
            at: row.at,
            actor_kind: row.actor_kind,
            actor_id: row.actor_id,
            request_id: row.request_id,
            source: row.source.and_then(|source| source.parse().ok()),
            action: row.action,
            object_id: row.object_id,
            before: row.before,
            after: row.after,
            hash: row.hash,
        })
        .collect())
}

/// Computes the tenant's whole chain again, and compares.
pub async fn verify(tx: &mut TenantTx) -> Result<Verdict, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    let chain = sqlx::query!(
        r#"SELECT count(*) AS "rows!", min(seq) FILTER (WHERE NOT sound) AS broken
           FROM (
               SELECT a.seq,
                      a.seq = row_number() OVER chain
                      AND a.prev_hash = coalesce(lag(a.hash) OVER chain, ''::bytea)
                      AND a.hash = audit_row_hash(a) AS sound
               FROM audit_log a WHERE a.tenant_id = $1
               WINDOW chain AS (ORDER BY a.seq)
           ) checked"#,
        tenant
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(match chain.broken {
        Some(seq) => Verdict::Broken { seq },
        None => Verdict::Intact { rows: chain.rows },
    })
}

/// Appends entries to the chain of a tenant, in one statement.
pub(crate) async fn write(
    conn: &mut PgConnection,
    tenant: TenantId,
    actor: &Actor,
    entries: &[&Entry],
) -> Result<(), StoreError> {
    let actions: Vec<String> = entries.iter().map(|entry| entry.action.to_owned()).collect();
    let objects: Vec<Uuid> = entries.iter().map(|entry| entry.object).collect();
    let before: Vec<Option<Value>> = entries.iter().map(|entry| entry.before.clone()).collect();
    let after: Vec<Option<Value>> = entries.iter().map(|entry| entry.after.clone()).collect();
    sqlx::query!(
        "INSERT INTO audit_log (tenant_id, actor_kind, actor_id, request_id, source, action, object_id, before, after,
                                seq, prev_hash, hash)
         SELECT $1, $2, $3, $4, $5::text::inet, entry.action, entry.object_id, entry.before, entry.after, 0, '', ''
         FROM unnest($6::text[], $7::uuid[], $8::jsonb[], $9::jsonb[]) WITH ORDINALITY
              AS entry (action, object_id, before, after, place)
         ORDER BY entry.place",
        Uuid::from(tenant),
        actor.kind.as_str(),
        actor.id,
        actor.request_id,
        actor.source.map(|source| source.to_string()),
        &actions,
        &objects,
        before.as_slice() as &[Option<Value>],
        after.as_slice() as &[Option<Value>]
    )
    .execute(conn)
    .await?;
    Ok(())
}
