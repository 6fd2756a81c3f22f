//! Service tokens: the credentials of a tenant's programs. Only their digests are kept.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use policy::id::TenantId;
use serde_json::{Value, json};
use sqlx::types::Json;
use uuid::Uuid;

use crate::base::actor::Actor;
use crate::base::audit::{Audited, Entry};
use crate::base::error::StoreError;
use crate::base::id::new_id;
use crate::base::pool::Store;
use crate::base::queries::rows;
use crate::base::tx::TenantTx;
use crate::tenancy::ending::ending_objects_of_tenant;
use crate::tenancy::standing::{Role, Standing};
use crate::tenancy::tenant;

/// The most working tokens of a tenant: one for each program and stage, not one for each
/// run.
pub const MAX_PER_TENANT: u32 = 200;

/// A token, without its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceToken {
    /// The token's id: the actor of its requests.
    pub id: Uuid,
    /// A name for people, 1 to 200 characters.
    pub name: String,
    /// The beginning and the end of its text.
    pub hint: String,
    /// Its roles.
    pub standing: Standing,
    /// The scopes that narrow its roles; empty for no narrowing.
    pub scopes: Vec<String>,
    /// The time from which it is refused; `None` for never.
    pub expires_at: Option<DateTime<Utc>>,
    /// The time of its revocation. It is refused for good.
    pub revoked_at: Option<DateTime<Utc>>,
    /// The time of its last use, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// The number of changes, from 1.
    pub revision: i64,
    /// The time of its creation.
    pub created_at: DateTime<Utc>,
    /// The time of the last change.
    pub updated_at: DateTime<Utc>,
}

/// The fields of a new token.
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

/// The standing of a service token, for the check of a request.
#[derive(Clone, Debug)]
pub struct ServiceCaller {
    /// The tenant of the token.
    pub tenant: TenantId,
    /// See [`ServiceToken::id`].
    pub id: Uuid,
    /// See [`ServiceToken::standing`].
    pub standing: Standing,
    /// See [`ServiceToken::scopes`].
    pub scopes: Vec<String>,
    /// See [`ServiceToken::expires_at`].
    pub expires_at: Option<DateTime<Utc>>,
    /// The state of its tenant.
    pub status: tenant::Status,
    /// True if its use within this minute was noted.
    pub is_noted: bool,
}

rows! { ($) token_rows =
    r#"id, name, hint, role, sites AS "sites: Json<BTreeMap<Uuid, Role>>", scopes, expires_at,
       revoked_at, last_used_at, revision, created_at, updated_at"#
    => |row| ServiceToken {
        id: row.id,
        name: row.name,
        hint: row.hint,
        standing: Standing::of_row(row.role.as_deref(), row.sites),
        scopes: row.scopes,
        expires_at: row.expires_at,
        revoked_at: row.revoked_at,
        last_used_at: row.last_used_at,
        revision: row.revision,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

ending_objects_of_tenant!(
    ServiceToken, "service token", token_rows of "service_tokens", "service tokens of a tenant",
    ended: "least(revoked_at, expires_at)", expire: "service_token.expire"
);

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

impl Store {
    /// Finds the token with this SHA-256 digest, unless it has ended. One query, because it
    /// precedes every request.
    pub async fn authenticate_service(
        &self,
        digest: &[u8; 32],
    ) -> Result<Option<ServiceCaller>, StoreError> {
        let row = sqlx::query!(
            r#"SELECT tenant_id AS "tenant_id!", id AS "id!", role,
                      sites AS "sites!: Json<BTreeMap<Uuid, Role>>", scopes AS "scopes!",
                      expires_at, status AS "status!", is_noted AS "is_noted!"
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

    /// Notes the use of a token, unless one within this minute was noted. It is no change of the
    /// token.
    pub async fn note_service(&self, tenant: TenantId, id: Uuid) -> Result<(), StoreError> {
        let mut tx = self.tenant(tenant, &Actor::system("service-token-used")).await?;
        sqlx::query!(
            "UPDATE service_tokens SET last_used_at = now()
             WHERE tenant_id = $1 AND id = $2
               AND (last_used_at IS NULL OR last_used_at <= now() - interval '1 minute')",
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
           WHERE tenant_id = $1 AND works(revoked_at, expires_at)"#,
        tenant
    )
    .fetch_one(tx.conn())
    .await?;
    StoreError::at_limit(count, "service tokens of a tenant", MAX_PER_TENANT)?;
    let token = token_rows!(
        "INSERT INTO service_tokens
             (tenant_id, id, name, hint, digest, role, sites, scopes, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING";
        tenant,
        new_id(),
        new.name,
        new.hint,
        &new.digest[..],
        new.standing.role_text(),
        json!(new.standing.sites),
        &new.scopes,
        new.expires_at
    )
    .fetch_one(tx.conn())
    .await?;
    tx.record(Entry::created("service_token.create", token.id, &token));
    Ok(token)
}

/// Gives a token another name. Its roles stay: other roles take another token.
pub async fn rename(
    tx: &mut TenantTx,
    id: Uuid,
    name: Option<String>,
    expected_revision: Option<i64>,
) -> Result<ServiceToken, StoreError> {
    let before = lock(tx, id, expected_revision).await?;
    let tenant = Uuid::from(tx.tenant());
    let after = token_rows!(
        "UPDATE service_tokens SET name = $3, revision = revision + 1, updated_at = now()
         WHERE tenant_id = $1 AND id = $2 RETURNING";
        tenant,
        id,
        name.as_ref().unwrap_or(&before.name)
    )
    .fetch_one(tx.conn())
    .await?;
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
    let after = token_rows!(
        "UPDATE service_tokens SET revoked_at = now(), revision = revision + 1, updated_at = now()
         WHERE tenant_id = $1 AND id = $2 RETURNING";
        tenant,
        id
    )
    .fetch_one(tx.conn())
    .await?;
    tx.record(Entry::updated("service_token.revoke", id, &before, &after));
    Ok(())
}
