//! Service tokens: what a tenant's programs have. Only their digests are kept.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use policy::id::TenantId;
use serde_json::{Value, json};
use sqlx::types::Json;
use uuid::Uuid;

use crate::base::actor::Actor;
use crate::base::audit::{Audited, Entry};
use crate::base::error::StoreError;
use crate::base::page::Page;
use crate::base::pool::Store;
use crate::base::tx::{PlatformTx, TenantTx};
use crate::tenancy::standing::{Role, Standing};
use crate::tenancy::tenant;

/// How many tokens that work a tenant may have: one for each program and stage, not one for each
/// run.
pub const MAX_PER_TENANT: u32 = 200;

/// A token, without its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceToken {
    /// The token's id: the actor of what is done with it.
    pub id: Uuid,
    /// What people call it, 1 to 200 characters.
    pub name: String,
    /// The beginning and the end of its text.
    pub hint: String,
    /// What it may do.
    pub standing: Standing,
    /// What it may do of that; all of it if this is empty.
    pub scopes: Vec<String>,
    /// From when it is refused; `None` for never.
    pub expires_at: Option<DateTime<Utc>>,
    /// Since when it is refused for good.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// Counts the changes, from 1.
    pub revision: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// What a new token is made of.
#[derive(Clone, Debug)]
pub struct NewServiceToken {
    /// See [`ServiceToken::name`].
    pub name: String,
    /// See [`ServiceToken::hint`].
    pub hint: String,
    /// SHA-256 of its text.
    pub digest: [u8; 32],
    /// See [`ServiceToken::standing`].
    pub standing: Standing,
    /// See [`ServiceToken::scopes`].
    pub scopes: Vec<String>,
    /// See [`ServiceToken::expires_at`].
    pub expires_at: Option<DateTime<Utc>>,
}

/// What a request with a service token needs to know of it.
#[derive(Clone, Debug)]
pub struct ServiceCaller {
    /// The tenant that it is of.
    pub tenant: TenantId,
    /// See [`ServiceToken::id`].
    pub id: Uuid,
    /// See [`ServiceToken::standing`].
    pub standing: Standing,
    /// See [`ServiceToken::scopes`].
    pub scopes: Vec<String>,
    /// See [`ServiceToken::expires_at`].
    pub expires_at: Option<DateTime<Utc>>,
    /// The state that its tenant is in.
    pub status: tenant::Status,
    /// Whether its use within this minute was noted.
    pub is_noted: bool,
}

struct Record {
    id: Uuid,
    name: String,
    hint: String,
    role: Option<String>,
    sites: Json<BTreeMap<Uuid, Role>>,
    scopes: Vec<String>,
    expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
    revision: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Record> for ServiceToken {
    fn from(record: Record) -> Self {
        Self {
            id: record.id,
            name: record.name,
            hint: record.hint,
            standing: Standing::of_row(record.role.as_deref(), record.sites),
            scopes: record.scopes,
            expires_at: record.expires_at,
            revoked_at: record.revoked_at,
            last_used_at: record.last_used_at,
            revision: record.revision,
            created_at: record.created_at,
            updated_at: record.updated_at,
        }
    }
}

impl Audited for ServiceToken {
    fn form(&self) -> Value {
        json!({
            "name": self.name,
            "hint": self.hint,
            "standing": self.standing.form(),
            "scopes": self.scopes,
            "expires_at": self.expires_at,
            "revoked_at": self.revoked_at,
            "revision": self.revision,
        })
    }
}

const NOT_FOUND: StoreError = StoreError::NotFound { what: "service token" };

impl Store {
    /// Finds the token with this SHA-256 digest, unless it has ended. One query, for it precedes
    /// every request.
    pub async fn authenticate_service(
        &self,
        digest: &[u8; 32],
    ) -> Result<Option<ServiceCaller>, StoreError> {
        let row = sqlx::query!(
            r#"SELECT tenant_id AS "tenant_id!", id AS "id!", role, sites AS "sites!: Json<BTreeMap<Uuid, Role>>",
                      scopes AS "scopes!", expires_at, status AS "status!", is_noted AS "is_noted!"
               FROM service_standing($1)"#,
            &digest[..]
        )
        .fetch_optional(self.reading().await?.conn())
        .await?;
        Ok(row.map(|row| ServiceCaller {
            tenant: TenantId(row.tenant_id),
            id: row.id,
            standing: Standing::of_row(row.role.as_deref(), row.sites),
            scopes: row.scopes,
            expires_at: row.expires_at,
            status: tenant::Status::of_row(&row.status),
            is_noted: row.is_noted,
        }))
    }

    /// Notes that a token is used, unless that was noted within this minute. It is no change of the
    /// token.
    pub async fn note_service(&self, tenant: TenantId, id: Uuid) -> Result<(), StoreError> {
        let mut tx = self.tenant(tenant, &Actor::system("service-token-used")).await?;
        sqlx::query!(
            "UPDATE service_tokens SET last_used_at = now()
             WHERE tenant_id = $1 AND id = $2 AND (last_used_at IS NULL OR last_used_at <= now() - interval '1 minute')",
            Uuid::from(tenant),
            id
        )
        .execute(tx.conn())
        .await?;
        tx.commit().await
    }
}

/// Makes a token.
pub async fn create(tx: &mut TenantTx, new: NewServiceToken) -> Result<ServiceToken, StoreError> {
    tenant::lock_for_children(tx).await?;
    let tenant = tx.tenant();
    new.standing.check(tx, tenant).await?;
    let tenant = Uuid::from(tenant);
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM service_tokens
           WHERE tenant_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())"#,
        tenant
    )
    .fetch_one(tx.conn())
    .await?;
    StoreError::at_limit(count, "service tokens of a tenant", MAX_PER_TENANT)?;
    let token: ServiceToken = sqlx::query_as!(
        Record,
        r#"INSERT INTO service_tokens (tenant_id, id, name, hint, digest, role, sites, scopes, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         RETURNING id, name, hint, role, sites AS "sites: Json<BTreeMap<Uuid, Role>>", scopes, expires_at, revoked_at, last_used_at,
                revision, created_at, updated_at"#,
        tenant,
        crate::new_id(),
        new.name,
        new.hint,
        &new.digest[..],
        new.standing.role_text(),
        json!(new.standing.sites),
        &new.scopes,
        new.expires_at
    )
    .fetch_one(tx.conn())
    .await?
    .into();
    tx.record(Entry::created("service_token.create", token.id, &token));
    Ok(token)
}

/// Reads a token.
pub async fn get(tx: &mut TenantTx, id: Uuid) -> Result<ServiceToken, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    sqlx::query_as!(
        Record,
        r#"SELECT id, name, hint, role, sites AS "sites: Json<BTreeMap<Uuid, Role>>", scopes, expires_at, revoked_at, last_used_at,
                revision, created_at, updated_at
         FROM service_tokens WHERE tenant_id = $1 AND id = $2"#,
        tenant,
        id
    )
    .fetch_optional(tx.conn())
    .await?
    .map(ServiceToken::from)
    .ok_or(NOT_FOUND)
}

/// Reads a page of the tenant's tokens, ended ones included.
pub async fn list(tx: &mut TenantTx, page: Page) -> Result<Vec<ServiceToken>, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    let records = sqlx::query_as!(
        Record,
        r#"SELECT id, name, hint, role, sites AS "sites: Json<BTreeMap<Uuid, Role>>", scopes, expires_at, revoked_at, last_used_at,
                revision, created_at, updated_at
         FROM service_tokens WHERE tenant_id = $1 AND id > $2 ORDER BY id LIMIT $3"#,
        tenant,
        page.after(),
        page.limit()
    )
    .fetch_all(tx.conn())
    .await?;
    if records.is_empty() {
        tenant::require(tx).await?;
    }
    Ok(records.into_iter().map(ServiceToken::from).collect())
}

/// Gives a token another name. What it may do stays: make another one for that.
pub async fn rename(
    tx: &mut TenantTx,
    id: Uuid,
    name: Option<String>,
    expected_revision: Option<i64>,
) -> Result<ServiceToken, StoreError> {
    let before = lock(tx, id, expected_revision).await?;
    let tenant = Uuid::from(tx.tenant());
    sqlx::query!(
        "UPDATE service_tokens SET name = $3, revision = revision + 1, updated_at = now() WHERE tenant_id = $1 AND id = $2",
        tenant,
        id,
        name.as_ref().unwrap_or(&before.name)
    )
    .execute(tx.conn())
    .await?;
    let after = get(tx, id).await?;
    tx.record(Entry::updated("service_token.update", id, &before, &after));
    Ok(after)
}

/// Revokes a token: the next request with it is refused. One that is revoked stays as it is.
pub async fn revoke(
    tx: &mut TenantTx,
    id: Uuid,
    expected_revision: Option<i64>,
) -> Result<(), StoreError> {
    let before = lock(tx, id, expected_revision).await?;
    if before.revoked_at.is_some() {
        return Ok(());
    }
    let tenant = Uuid::from(tx.tenant());
    sqlx::query!(
        "UPDATE service_tokens SET revoked_at = now(), revision = revision + 1, updated_at = now() WHERE tenant_id = $1 AND id = $2",
        tenant,
        id
    )
    .execute(tx.conn())
    .await?;
    let after = get(tx, id).await?;
    tx.record(Entry::updated("service_token.revoke", id, &before, &after));
    Ok(())
}

async fn lock(
    tx: &mut TenantTx,
    id: Uuid,
    expected_revision: Option<i64>,
) -> Result<ServiceToken, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    sqlx::query_scalar!(
        "SELECT id FROM service_tokens WHERE tenant_id = $1 AND id = $2 FOR UPDATE",
        tenant,
        id
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(NOT_FOUND)?;
    let token = get(tx, id).await?;
    StoreError::unless_expected(token.revision, expected_revision)?;
    Ok(token)
}

/// The tenants that have something for [`prune`], so many at most.
pub async fn prunable(
    tx: &mut PlatformTx,
    before: DateTime<Utc>,
    most: i64,
) -> Result<Vec<TenantId>, StoreError> {
    let tenants = sqlx::query_scalar!(
        "SELECT DISTINCT tenant_id FROM service_tokens WHERE least(revoked_at, expires_at) < $1 LIMIT $2",
        before,
        most
    );
    Ok(tenants.fetch_all(tx.conn()).await?.into_iter().map(TenantId).collect())
}

/// Removes the tenant's tokens that were revoked, or expired, before a time: so many at most.
/// Returns how many.
pub async fn prune(tx: &mut TenantTx, before: DateTime<Utc>, most: i64) -> Result<u64, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    let gone = sqlx::query_as!(
        Record,
        r#"DELETE FROM service_tokens WHERE tenant_id = $1 AND id IN (
             SELECT id FROM service_tokens WHERE tenant_id = $1 AND least(revoked_at, expires_at) < $2 LIMIT $3 FOR UPDATE SKIP LOCKED)
         RETURNING id, name, hint, role, sites AS "sites: Json<BTreeMap<Uuid, Role>>", scopes, expires_at, revoked_at, last_used_at,
                revision, created_at, updated_at"#,
        tenant,
        before,
        most
    )
    .fetch_all(tx.conn())
    .await?;
    let count = gone.len() as u64;
    for gone in gone.into_iter().map(ServiceToken::from) {
        tx.record(Entry::deleted("service_token.expire", gone.id, &gone));
    }
    Ok(count)
}
