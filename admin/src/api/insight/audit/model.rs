//! The JSON shapes of audit.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::RawValue;
use store::audit::AuditRow;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::bounds;

/// A change, as the database has written it down.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditEntry {
    /// The tenant of its chain; `00000000-0000-0000-0000-000000000000` for changes that belong to
    /// no tenant.
    tenant_id: Uuid,
    /// The place in the chain, from 1.
    #[schema(minimum = 1)]
    seq: i64,
    /// The time at which it was written, to the microsecond.
    at: DateTime<Utc>,
    /// The kind of actor: `operator`, `member`, `service`, or `system` for the program itself.
    #[schema(example = "operator")]
    actor_kind: String,
    /// The operator token, account or service token; nil for the program itself.
    actor_id: Uuid,
    /// The `x-request-id` of the request.
    request_id: String,
    /// The address that the request came from.
    #[schema(required = true, example = "192.0.2.7")]
    source: Option<String>,
    /// The change.
    #[schema(example = "route.create")]
    action: String,
    /// The object that it was done to.
    object_id: Uuid,
    /// The object before, without its secrets; null if there was none.
    #[schema(required = true, value_type = Option<Object>)]
    before: Option<Box<RawValue>>,
    /// The object after, without its secrets; null if there is none any more.
    #[schema(required = true, value_type = Option<Object>)]
    pub(super) after: Option<Box<RawValue>>,
    /// The hash of the entry before; empty in the first one.
    #[schema(pattern = "^([0-9a-f]{64})?$")]
    prev_hash: String,
    /// SHA-256 over all of the above.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    hash: String,
}

impl From<AuditRow> for AuditEntry {
    fn from(row: AuditRow) -> Self {
        Self {
            tenant_id: row.tenant_id,
            seq: row.seq,
            at: row.at,
            actor_kind: row.actor_kind,
            actor_id: row.actor_id,
            request_id: row.request_id,
            source: row.source,
            action: row.action,
            object_id: row.object_id,
            before: row.before.map(|object| object.0),
            after: row.after.map(|object| object.0),
            prev_hash: row.prev_hash,
            hash: row.hash,
        }
    }
}

/// A page of the audit log, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditPage {
    /// The entries.
    items: Vec<AuditEntry>,
    /// Give this as `cursor`, and all other parameters as before, to get the next page; null on the
    /// last one.
    #[schema(required = true)]
    next_cursor: Option<String>,
}

impl AuditPage {
    /// Makes the page out of the rows that the store gave, one more than it may have. It ends early
    /// if its entries are large.
    pub(super) fn of(
        rows: Vec<AuditRow>,
        limit: u32,
        cursor: impl Fn(&AuditRow) -> String,
    ) -> Self {
        let available = rows.len();
        let mut page = Self { items: Vec::new(), next_cursor: None };
        let (mut bytes, mut last) = (0_usize, None);
        for row in rows.into_iter().take(limit as usize) {
            let objects = [&row.before, &row.after].into_iter().flatten();
            bytes = bytes.saturating_add(objects.map(|object| object.0.get().len()).sum());
            if bytes > bounds::PAGE_BYTES && !page.items.is_empty() {
                break;
            }
            last = Some(cursor(&row));
            page.items.push(row.into());
        }
        page.next_cursor = last.filter(|_| page.items.len() < available);
        page
    }
}
