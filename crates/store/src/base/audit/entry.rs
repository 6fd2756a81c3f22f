//! The entries of the audit log, and their writing.

use policy::id::TenantId;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::base::actor::Actor;
use crate::base::error::StoreError;

/// The owner of work of the platform for no tenant.
pub const PLATFORM: TenantId = TenantId(Uuid::nil());

/// One change, as its operation describes it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) action: &'static str,
    pub(crate) object: Uuid,
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
}

/// The form of an object in the audit log: an explicit list of fields, so that no secret gets in by
/// being added to a row.
pub(crate) trait Audited {
    fn form(&self) -> Value;
}

impl Entry {
    pub(crate) fn created(
        action: &'static str,
        object: impl Into<Uuid>,
        after: &impl Audited,
    ) -> Self {
        Self { action, object: object.into(), before: None, after: Some(after.form()) }
    }

    pub(crate) fn updated<T: Audited>(
        action: &'static str,
        object: impl Into<Uuid>,
        before: &T,
        after: &T,
    ) -> Self {
        Self {
            action,
            object: object.into(),
            before: Some(before.form()),
            after: Some(after.form()),
        }
    }

    pub(crate) fn deleted(
        action: &'static str,
        object: impl Into<Uuid>,
        before: &impl Audited,
    ) -> Self {
        Self { action, object: object.into(), before: Some(before.form()), after: None }
    }
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
        "INSERT INTO audit_log
             (tenant_id, actor_kind, actor_id, request_id, source, action, object_id, before, after,
              seq, prev_hash, hash)
         SELECT $1, $2, $3, $4, $5::text::inet, entry.action, entry.object_id, entry.before,
                entry.after, 0, '', ''
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
