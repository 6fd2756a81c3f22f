//! Members: the people of a tenant, and their roles in it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use policy::id::TenantId;
use serde_json::{Value, json};
use sqlx::types::Json;
use uuid::Uuid;

use crate::base::actor::AccountId;
use crate::base::audit::{Audited, Entry};
use crate::base::error::StoreError;
use crate::base::page::Page;
use crate::base::pool::Store;
use crate::base::queries::rows;
use crate::base::tx::{PlatformTx, ScopedTx};
use crate::tenancy::standing::{Role, Standing};
use crate::tenancy::tenant;

/// The most members of a tenant.
pub const MAX_PER_TENANT: u32 = 1_000;

/// A member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The account of the member.
    pub account: AccountId,
    /// The address of the account.
    pub email: String,
    /// The name of the account.
    pub name: String,
    /// The roles of the member.
    pub standing: Standing,
    /// The number of changes, from 1.
    pub revision: i64,
    /// The time at which the person joined.
    pub created_at: DateTime<Utc>,
    /// The time of the last change.
    pub updated_at: DateTime<Utc>,
}

/// The standing of a person who has logged in, for the check of a request.
#[derive(Clone, Debug)]
pub struct AccountCaller {
    /// True if the session has a second factor.
    pub mfa: bool,
    /// The roles of the account in the tenant of the request; none if it is not a member.
    pub standing: Standing,
    /// The state of the tenant.
    pub status: tenant::Status,
    /// True if the tenant asks for a second factor.
    pub require_mfa: bool,
}

/// A tenant, as one of its members sees it among others.
#[derive(Clone, Debug)]
pub struct Membership {
    /// The tenant.
    pub tenant: TenantId,
    /// The tenant's name.
    pub name: String,
    /// The tenant's short name.
    pub slug: Option<String>,
    /// The state of the tenant.
    pub status: tenant::Status,
    /// True if it asks for a second factor.
    pub require_mfa: bool,
    /// The roles of the member there.
    pub standing: Standing,
}

rows! { ($) member_rows =
    r#"m.account_id, a.email, a.name, m.role, m.sites AS "sites: Json<BTreeMap<Uuid, Role>>",
       m.revision, m.created_at, m.updated_at"#
    => |row| Member {
        account: AccountId(row.account_id),
        email: row.email,
        name: row.name,
        standing: Standing::of_row(row.role.as_deref(), row.sites),
        revision: row.revision,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

impl Audited for Member {
    fn form(&self) -> Value {
        json!({ "email": self.email, "standing": self.standing.form(), "revision": self.revision })
    }
}

const NOT_FOUND: StoreError = StoreError::NotFound { what: "member" };

impl Store {
    /// Reads the roles of an account in a tenant, in one of its sessions; `None` if the session has
    /// ended. One query, because it precedes every request.
    pub async fn authenticate_account(
        &self,
        account: Uuid,
        session: Uuid,
        tenant: Option<TenantId>,
    ) -> Result<Option<AccountCaller>, StoreError> {
        let row = sqlx::query!(
            r#"SELECT mfa AS "mfa!", is_member AS "is_member!", role,
                      sites AS "sites: Json<BTreeMap<Uuid, Role>>", status, require_mfa
               FROM account_standing($1, $2, $3)"#,
            account,
            session,
            tenant.map(Uuid::from)
        )
        .fetch_optional(self.reading().await?.conn())
        .await?;
        Ok(row.map(|row| AccountCaller {
            mfa: row.mfa,
            standing: match row.sites {
                Some(sites) if row.is_member => Standing::of_row(row.role.as_deref(), sites),
                _ => Standing::default(),
            },
            status: tenant::Status::of_row(row.status.as_deref().unwrap_or_default()),
            require_mfa: row.require_mfa.unwrap_or(false),
        }))
    }
}

/// Makes an account a member of a tenant.
///
/// # Errors
/// [`StoreError::AlreadyMember`] if it is one; then the transaction is over.
pub async fn create(
    tx: &mut PlatformTx,
    tenant: TenantId,
    account: AccountId,
    standing: &Standing,
) -> Result<Member, StoreError> {
    if !lock_tenant(tx, tenant).await? {
        return Err(StoreError::NotFound { what: "tenant" });
    }
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM members WHERE tenant_id = $1"#,
        Uuid::from(tenant)
    )
    .fetch_one(tx.conn())
    .await?;
    StoreError::at_limit(count, "members of a tenant", MAX_PER_TENANT)?;
    let made = sqlx::query!(
        "INSERT INTO members (tenant_id, account_id, role, sites) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING",
        Uuid::from(tenant),
        account.0,
        standing.role_text(),
        json!(standing.sites)
    )
    .execute(tx.conn())
    .await?;
    if made.rows_affected() == 0 {
        return Err(StoreError::AlreadyMember);
    }
    let member = read(tx, tenant, account).await?;
    tx.core.record(tenant, Entry::created("member.create", account, &member));
    Ok(member)
}

/// Reads a member. Name and address are those of the account, which belongs to the platform.
pub async fn get(
    tx: &mut PlatformTx,
    tenant: TenantId,
    account: AccountId,
) -> Result<Member, StoreError> {
    tx.core.see_tenant(tenant).await?;
    read(tx, tenant, account).await
}

/// Reads a page of the members of a tenant.
pub async fn list(
    tx: &mut PlatformTx,
    tenant: TenantId,
    page: Page,
) -> Result<Vec<Member>, StoreError> {
    let listed = member_rows!(
        "SELECT",
        "FROM members m JOIN accounts a ON a.id = m.account_id
         WHERE m.tenant_id = $1 AND m.account_id > $2 ORDER BY m.account_id LIMIT $3";
        Uuid::from(tenant),
        page.after(),
        page.limit()
    )
    .fetch_all(tx.conn())
    .await?;
    if listed.is_empty() {
        tenant::get(tx, tenant).await?;
    }
    Ok(listed)
}

/// Reads a page of the tenants of an account, in the order of their ids.
pub async fn memberships(
    tx: &mut PlatformTx,
    account: AccountId,
    page: Page,
) -> Result<Vec<Membership>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT t.id, t.name, t.slug, t.status, t.require_mfa, m.role,
                  m.sites AS "sites: Json<BTreeMap<Uuid, Role>>"
         FROM members m JOIN tenants t ON t.id = m.tenant_id
         WHERE m.account_id = $1 AND t.id > $2 ORDER BY t.id LIMIT $3"#,
        account.0,
        page.after(),
        page.limit()
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Membership {
            tenant: TenantId(row.id),
            name: row.name,
            slug: row.slug,
            status: tenant::Status::of_row(&row.status),
            require_mfa: row.require_mfa,
            standing: Standing::of_row(row.role.as_deref(), row.sites),
        })
        .collect())
}

/// Changes the roles of a member who was locked.
///
/// # Errors
/// [`StoreError::LastAdmin`] if the tenant would be left without an Admin.
pub async fn update(
    tx: &mut PlatformTx,
    tenant: TenantId,
    before: &Member,
    standing: Standing,
) -> Result<Member, StoreError> {
    unless_last_admin(tx, tenant, before, &standing).await?;
    standing.check(tx, tenant).await?;
    sqlx::query!(
        "UPDATE members SET role = $3, sites = $4, revision = revision + 1, updated_at = now()
         WHERE tenant_id = $1 AND account_id = $2",
        Uuid::from(tenant),
        before.account.0,
        standing.role_text(),
        json!(standing.sites)
    )
    .execute(tx.conn())
    .await?;
    let after = read(tx, tenant, before.account).await?;
    tx.core.record(tenant, Entry::updated("member.update", before.account, before, &after));
    Ok(after)
}

/// Takes a member, who was locked, out of the tenant. The person's next request is answered as if
/// the tenant did not exist.
///
/// # Errors
/// [`StoreError::LastAdmin`] if the tenant would be left without an Admin.
pub async fn delete(
    tx: &mut PlatformTx,
    tenant: TenantId,
    before: &Member,
) -> Result<(), StoreError> {
    unless_last_admin(tx, tenant, before, &Standing::default()).await?;
    sqlx::query!(
        "DELETE FROM members WHERE tenant_id = $1 AND account_id = $2",
        Uuid::from(tenant),
        before.account.0
    )
    .execute(tx.conn())
    .await?;
    tx.core.record(tenant, Entry::deleted("member.delete", before.account, before));
    Ok(())
}

async fn read(
    tx: &mut impl ScopedTx,
    tenant: TenantId,
    account: AccountId,
) -> Result<Member, StoreError> {
    member_rows!(
        "SELECT",
        "FROM members m JOIN accounts a ON a.id = m.account_id
         WHERE m.tenant_id = $1 AND m.account_id = $2";
        Uuid::from(tenant),
        account.0
    )
    .fetch_optional(tx.core().conn())
    .await?
    .ok_or(NOT_FOUND)
}

/// Reads a member to change it, and locks the tenant first: two counts of its Admins never run at
/// the same time.
pub async fn lock(
    tx: &mut PlatformTx,
    tenant: TenantId,
    account: AccountId,
    expected_revision: Option<i64>,
) -> Result<Member, StoreError> {
    if !lock_tenant(tx, tenant).await? {
        return Err(NOT_FOUND);
    }
    let member = read(tx, tenant, account).await?;
    StoreError::unless_expected(member.revision, expected_revision)?;
    Ok(member)
}

/// Lets no other transaction make, change or remove members of a tenant; false if there is no such
/// tenant.
async fn lock_tenant(tx: &mut PlatformTx, tenant: TenantId) -> Result<bool, StoreError> {
    tx.core.see_tenant(tenant).await?;
    let found = sqlx::query_scalar!(
        "SELECT id FROM tenants WHERE id = $1 FOR NO KEY UPDATE",
        Uuid::from(tenant)
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(found.is_some())
}

async fn unless_last_admin(
    tx: &mut PlatformTx,
    tenant: TenantId,
    before: &Member,
    after: &Standing,
) -> Result<(), StoreError> {
    if before.standing.role != Some(Role::Admin) || after.role == Some(Role::Admin) {
        return Ok(());
    }
    let others = sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM members WHERE tenant_id = $1 AND role = 'admin' AND account_id <> $2
           ) AS "others!""#,
        Uuid::from(tenant),
        before.account.0
    )
    .fetch_one(tx.conn())
    .await?;
    if others { Ok(()) } else { Err(StoreError::LastAdmin) }
}
