//! Invitations: who may become a member, once, with a token that only the digest is kept of.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use policy::id::TenantId;
use serde_json::{Value, json};
use sqlx::types::Json;
use uuid::Uuid;

use crate::accounts::account::{self, AccountId};
use crate::base::audit::{Audited, Entry};
use crate::base::error::StoreError;
use crate::base::page::Page;
use crate::base::tx::{PlatformTx, TenantTx};
use crate::tenancy::member::{self, Member};
use crate::tenancy::standing::{Role, Standing};
use crate::tenancy::tenant;

/// How many invitations may be open in a tenant.
pub const MAX_PER_TENANT: u32 = 200;

/// An invitation, without its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Its id.
    pub id: Uuid,
    /// Who is invited, by the canonical address.
    pub email: String,
    /// What the person will be.
    pub standing: Standing,
    /// From when it is void.
    pub expires_at: DateTime<Utc>,
    /// When it was accepted.
    pub accepted_at: Option<DateTime<Utc>>,
    /// Counts the changes, from 1.
    pub revision: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// What a new invitation is made of.
#[derive(Clone, Debug)]
pub struct NewInvitation {
    /// See [`Invitation::email`].
    pub email: String,
    /// See [`Invitation::standing`].
    pub standing: Standing,
    /// SHA-256 of the token.
    pub digest: [u8; 32],
    /// See [`Invitation::expires_at`].
    pub expires_at: DateTime<Utc>,
}

struct Record {
    id: Uuid,
    email: String,
    role: Option<String>,
    sites: Json<BTreeMap<Uuid, Role>>,
    expires_at: DateTime<Utc>,
    accepted_at: Option<DateTime<Utc>>,
    revision: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Record> for Invitation {
    fn from(record: Record) -> Self {
        Self {
            id: record.id,
            email: record.email,
            standing: Standing::of_row(record.role.as_deref(), record.sites),
            expires_at: record.expires_at,
            accepted_at: record.accepted_at,
            revision: record.revision,
            created_at: record.created_at,
            updated_at: record.updated_at,
        }
    }
}

impl Audited for Invitation {
    fn form(&self) -> Value {
        json!({
            "email": self.email,
            "standing": self.standing.form(),
            "expires_at": self.expires_at,
            "accepted_at": self.accepted_at,
            "revision": self.revision,
        })
    }
}

const NOT_FOUND: StoreError = StoreError::NotFound { what: "invitation" };

/// Invites somebody. It is platform work because the letter that tells of it is.
pub async fn create(
    tx: &mut PlatformTx,
    of: TenantId,
    new: NewInvitation,
) -> Result<Invitation, StoreError> {
    tx.core.see_tenant(of).await?;
    tenant::lock(tx, of, None).await?;
    new.standing.check(tx, of).await?;
    let tenant = Uuid::from(of);
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM invitations WHERE tenant_id = $1 AND accepted_at IS NULL AND expires_at > now()"#,
        tenant
    )
    .fetch_one(tx.conn())
    .await?;
    StoreError::at_limit(count, "open invitations of a tenant", MAX_PER_TENANT)?;
    let invitation: Invitation = sqlx::query_as!(
        Record,
        r#"INSERT INTO invitations (tenant_id, id, email, role, sites, digest, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
         RETURNING id, email, role, sites AS "sites: Json<BTreeMap<Uuid, Role>>", expires_at, accepted_at,
                revision, created_at, updated_at"#,
        tenant,
        crate::new_id(),
        new.email,
        new.standing.role_text(),
        json!(new.standing.sites),
        &new.digest[..],
        new.expires_at
    )
    .fetch_one(tx.conn())
    .await?
    .into();
    tx.core.record(of, Entry::created("invitation.create", invitation.id, &invitation));
    Ok(invitation)
}

/// Reads an invitation.
pub async fn get(tx: &mut TenantTx, id: Uuid) -> Result<Invitation, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    sqlx::query_as!(
        Record,
        r#"SELECT id, email, role, sites AS "sites: Json<BTreeMap<Uuid, Role>>", expires_at, accepted_at,
                revision, created_at, updated_at
         FROM invitations WHERE tenant_id = $1 AND id = $2"#,
        tenant,
        id
    )
    .fetch_optional(tx.conn())
    .await?
    .map(Invitation::from)
    .ok_or(NOT_FOUND)
}

/// Reads a page of the tenant's invitations, accepted and void ones included.
pub async fn list(tx: &mut TenantTx, page: Page) -> Result<Vec<Invitation>, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    let records = sqlx::query_as!(
        Record,
        r#"SELECT id, email, role, sites AS "sites: Json<BTreeMap<Uuid, Role>>", expires_at, accepted_at,
                revision, created_at, updated_at
         FROM invitations WHERE tenant_id = $1 AND id > $2 ORDER BY id LIMIT $3"#,
        tenant,
        page.after(),
        page.limit()
    )
    .fetch_all(tx.conn())
    .await?;
    if records.is_empty() {
        tenant::require(tx).await?;
    }
    Ok(records.into_iter().map(Invitation::from).collect())
}

/// Takes an invitation back: its token is worth nothing from now on.
pub async fn delete(
    tx: &mut TenantTx,
    id: Uuid,
    expected_revision: Option<i64>,
) -> Result<(), StoreError> {
    let tenant = Uuid::from(tx.tenant());
    sqlx::query_scalar!(
        "SELECT id FROM invitations WHERE tenant_id = $1 AND id = $2 FOR UPDATE",
        tenant,
        id
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(NOT_FOUND)?;
    let before = get(tx, id).await?;
    StoreError::unless_expected(before.revision, expected_revision)?;
    sqlx::query!("DELETE FROM invitations WHERE tenant_id = $1 AND id = $2", tenant, id)
        .execute(tx.conn())
        .await?;
    tx.record(Entry::deleted("invitation.delete", id, &before));
    Ok(())
}

/// Makes a member of the account that presents the token of an open invitation to its own address.
///
/// # Errors
/// [`StoreError::NotFound`] if there is no such invitation, it is void or was accepted, or it is
/// for somebody else: these are not told apart. [`StoreError::AlreadyMember`] if the account is a
/// member.
pub async fn accept(
    tx: &mut PlatformTx,
    digest: &[u8; 32],
    account: AccountId,
) -> Result<(TenantId, Member), StoreError> {
    let person = account::get(tx, account).await?;
    let found = sqlx::query!(
        "SELECT tenant_id, id FROM invitations
         WHERE digest = $1 AND email = $2 AND accepted_at IS NULL AND expires_at > now()",
        &digest[..],
        person.email
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(NOT_FOUND)?;
    let tenant = TenantId(found.tenant_id);
    tx.core.see_tenant(tenant).await?;
    // Whoever comes second finds it accepted.
    let before: Invitation = sqlx::query_as!(
        Record,
        r#"SELECT id, email, role, sites AS "sites: Json<BTreeMap<Uuid, Role>>", expires_at, accepted_at,
                revision, created_at, updated_at
         FROM invitations WHERE tenant_id = $1 AND id = $2 AND accepted_at IS NULL FOR UPDATE"#,
        found.tenant_id,
        found.id
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(NOT_FOUND)?
    .into();
    let member = member::create(tx, tenant, account, &before.standing).await?;
    let after: Invitation = sqlx::query_as!(
        Record,
        r#"UPDATE invitations SET accepted_at = now(), revision = revision + 1, updated_at = now() WHERE tenant_id = $1 AND id = $2
         RETURNING id, email, role, sites AS "sites: Json<BTreeMap<Uuid, Role>>", expires_at, accepted_at,
                revision, created_at, updated_at"#,
        found.tenant_id,
        found.id
    )
    .fetch_one(tx.conn())
    .await?
    .into();
    tx.core.record(tenant, Entry::updated("invitation.accept", before.id, &before, &after));
    Ok((tenant, member))
}

/// The tenants that have something for [`prune`], so many at most.
pub async fn prunable(
    tx: &mut PlatformTx,
    before: DateTime<Utc>,
    most: i64,
) -> Result<Vec<TenantId>, StoreError> {
    let tenants = sqlx::query_scalar!(
        "SELECT DISTINCT tenant_id FROM invitations WHERE coalesce(accepted_at, expires_at) < $1 LIMIT $2",
        before,
        most
    );
    Ok(tenants.fetch_all(tx.conn()).await?.into_iter().map(TenantId).collect())
}

/// Removes the tenant's invitations that were accepted, or void, before a time: so many at most.
/// Returns how many.
pub async fn prune(tx: &mut TenantTx, before: DateTime<Utc>, most: i64) -> Result<u64, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    let gone = sqlx::query_as!(
        Record,
        r#"DELETE FROM invitations WHERE tenant_id = $1 AND id IN (
             SELECT id FROM invitations WHERE tenant_id = $1 AND coalesce(accepted_at, expires_at) < $2 LIMIT $3 FOR UPDATE SKIP LOCKED)
         RETURNING id, email, role, sites AS "sites: Json<BTreeMap<Uuid, Role>>", expires_at, accepted_at,
                revision, created_at, updated_at"#,
        tenant,
        before,
        most
    )
    .fetch_all(tx.conn())
    .await?;
    let count = gone.len() as u64;
    for gone in gone.into_iter().map(Invitation::from) {
        tx.record(Entry::deleted("invitation.expire", gone.id, &gone));
    }
    Ok(count)
}
