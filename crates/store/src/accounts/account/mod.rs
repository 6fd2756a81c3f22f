//! Accounts of people. They belong to no tenant; what a person may do in a tenant is said by the
//! tenant's members.

mod erase;

use std::fmt;

use chrono::{DateTime, Utc};
use policy::id::TenantId;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::base::audit::{Audited, Entry};
use crate::base::error::StoreError;
use crate::base::tx::PlatformTx;

pub use crate::base::actor::AccountId;
pub use erase::erase;

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id: the actor of what the person does.
    pub id: AccountId,
    /// The canonical address: lower case.
    pub email: String,
    /// What people call the person, 1 to 200 characters.
    pub name: String,
    /// When the address was proven to be the person's; without that nobody logs in.
    pub verified_at: Option<DateTime<Utc>>,
    /// When the password was last chosen; `None` if there is none yet.
    pub password_changed_at: Option<DateTime<Utc>>,
    /// Whether a second factor is asked for at each login.
    pub mfa: bool,
    /// Counts the changes, from 1.
    pub revision: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

struct Record {
    id: Uuid,
    email: String,
    name: String,
    verified_at: Option<DateTime<Utc>>,
    password_changed_at: Option<DateTime<Utc>>,
    mfa: bool,
    revision: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Record> for Account {
    fn from(record: Record) -> Self {
        Self {
            id: AccountId(record.id),
            email: record.email,
            name: record.name,
            verified_at: record.verified_at,
            password_changed_at: record.password_changed_at,
            mfa: record.mfa,
            revision: record.revision,
            created_at: record.created_at,
            updated_at: record.updated_at,
        }
    }
}

impl Audited for Account {
    fn form(&self) -> Value {
        json!({
            "email": self.email,
            "name": self.name,
            "verified_at": self.verified_at,
            "password_changed_at": self.password_changed_at,
            "mfa": self.mfa,
            "revision": self.revision,
        })
    }
}

/// The hash of a password, as a PHC string. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(pub String);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(redacted)")
    }
}

/// What a new account is made of.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// See [`Account::email`].
    pub email: String,
    /// See [`Account::name`].
    pub name: String,
    /// The hash of the password, if one was chosen.
    pub password: Option<PasswordHash>,
    /// See [`Account::verified_at`].
    pub verified_at: Option<DateTime<Utc>>,
}

/// What an account is found by, for a login.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The account.
    pub account: Account,
    /// The hash of its password; `None` if it has none yet.
    pub password: Option<PasswordHash>,
}

const NOT_FOUND: StoreError = StoreError::NotFound { what: "account" };

/// The form in which an address is kept and found: without blanks around it, and in lower case.
pub fn canonical_email(text: &str) -> String {
    text.trim().to_lowercase()
}

/// Makes an account.
///
/// # Errors
/// [`StoreError::Conflict`] if the address has one.
pub async fn create(
    tx: &mut PlatformTx,
    new: NewAccount,
    now: DateTime<Utc>,
) -> Result<Account, StoreError> {
    let id = AccountId(crate::new_id());
    sqlx::query!(
        "INSERT INTO accounts (id, email, name, password_hash, password_changed_at, verified_at, created_at, updated_at)
         VALUES ($1, $2, $3, $4, CASE WHEN $4::text IS NULL THEN NULL ELSE $6::timestamptz END, $5, $6, $6)",
        id.0,
        new.email,
        new.name,
        new.password.map(|hash| hash.0),
        new.verified_at,
        now
    )
    .execute(tx.conn())
    .await
    .map_err(|error| StoreError::unique(error, &[("accounts_email_key", "email", &new.email)]))?;
    let account = get(tx, id).await?;
    audit(tx, id, Entry::created("account.create", id, &account)).await?;
    Ok(account)
}

/// Reads an account.
pub async fn get(tx: &mut PlatformTx, id: AccountId) -> Result<Account, StoreError> {
    let record = sqlx::query_as!(
        Record,
        r#"SELECT id, email, name, verified_at, password_changed_at, revision, created_at, updated_at,
                  EXISTS (SELECT FROM totp_factors t WHERE t.account_id = a.id AND t.confirmed_at IS NOT NULL) AS "mfa!"
           FROM accounts a WHERE id = $1"#,
        id.0
    )
    .fetch_optional(tx.conn())
    .await?;
    record.map(Account::from).ok_or(NOT_FOUND)
}

/// Finds the account of an address, in one query whether there is one or not.
pub async fn by_email(tx: &mut PlatformTx, email: &str) -> Result<Option<Credentials>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT id, email, name, verified_at, password_changed_at, revision, created_at, updated_at, password_hash,
                  EXISTS (SELECT FROM totp_factors t WHERE t.account_id = a.id AND t.confirmed_at IS NOT NULL) AS "mfa!"
           FROM accounts a WHERE email = $1"#,
        canonical_email(email)
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| {
        let record = Record {
            id: row.id,
            email: row.email,
            name: row.name,
            verified_at: row.verified_at,
            password_changed_at: row.password_changed_at,
            mfa: row.mfa,
            revision: row.revision,
            created_at: row.created_at,
            updated_at: row.updated_at,
        };
        Credentials { account: record.into(), password: row.password_hash.map(PasswordHash) }
    }))
}

/// Reads an account with the hash of its password, and holds it until the end of the transaction.
pub async fn lock(tx: &mut PlatformTx, id: AccountId) -> Result<Credentials, StoreError> {
    let hash =
        sqlx::query_scalar!("SELECT password_hash FROM accounts WHERE id = $1 FOR UPDATE", id.0)
            .fetch_optional(tx.conn())
            .await?
            .ok_or(NOT_FOUND)?;
    Ok(Credentials { account: get(tx, id).await?, password: hash.map(PasswordHash) })
}

/// Changes the name of a person.
pub async fn rename(
    tx: &mut PlatformTx,
    id: AccountId,
    name: &str,
    expected_revision: Option<i64>,
    now: DateTime<Utc>,
) -> Result<Account, StoreError> {
    let before = lock(tx, id).await?.account;
    StoreError::unless_expected(before.revision, expected_revision)?;
    sqlx::query!(
        "UPDATE accounts SET name = $2, revision = revision + 1, updated_at = $3 WHERE id = $1",
        id.0,
        name,
        now
    )
    .execute(tx.conn())
    .await?;
    let after = get(tx, id).await?;
    audit(tx, id, Entry::updated("account.update", id, &before, &after)).await?;
    Ok(after)
}

/// Gives an account another password.
pub async fn set_password(
    tx: &mut PlatformTx,
    id: AccountId,
    hash: &PasswordHash,
    action: &'static str,
    now: DateTime<Utc>,
) -> Result<Account, StoreError> {
    let before = lock(tx, id).await?.account;
    sqlx::query!(
        "UPDATE accounts SET password_hash = $2, password_changed_at = $3, revision = revision + 1, updated_at = $3 WHERE id = $1",
        id.0,
        hash.0,
        now
    )
    .execute(tx.conn())
    .await?;
    let after = get(tx, id).await?;
    audit(tx, id, Entry::updated(action, id, &before, &after)).await?;
    Ok(after)
}

/// Notes that the address is the person's. One that is verified stays as it is.
pub async fn verify(
    tx: &mut PlatformTx,
    id: AccountId,
    now: DateTime<Utc>,
) -> Result<Account, StoreError> {
    let before = lock(tx, id).await?.account;
    if before.verified_at.is_some() {
        return Ok(before);
    }
    sqlx::query!(
        "UPDATE accounts SET verified_at = $2, revision = revision + 1, updated_at = $2 WHERE id = $1",
        id.0,
        now
    )
    .execute(tx.conn())
    .await?;
    let after = get(tx, id).await?;
    audit(tx, id, Entry::updated("account.verify", id, &before, &after)).await?;
    Ok(after)
}

/// Writes what a person did, or what was tried in a person's name, to the chain of each tenant that
/// the person is in; to the platform's if that is none.
pub(crate) async fn audit(
    tx: &mut PlatformTx,
    id: AccountId,
    entry: Entry,
) -> Result<(), StoreError> {
    for tenant in chains(tx, id).await? {
        tx.core.record(tenant, entry.clone());
    }
    Ok(())
}

/// The chains of audit rows that events of an account belong to.
async fn chains(tx: &mut PlatformTx, id: AccountId) -> Result<Vec<TenantId>, StoreError> {
    let tenants = sqlx::query_scalar!(
        "SELECT tenant_id FROM members WHERE account_id = $1 ORDER BY tenant_id",
        id.0
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(if tenants.is_empty() {
        vec![PlatformTx::PLATFORM]
    } else {
        tenants.into_iter().map(TenantId).collect()
    })
}

/// Notes that a login was tried that failed, whoever tried it. For an address that has no account
/// it is the same work.
pub async fn login_failed(
    tx: &mut PlatformTx,
    id: Option<AccountId>,
    reason: &'static str,
) -> Result<(), StoreError> {
    let id = id.unwrap_or(AccountId(Uuid::nil()));
    let entry = Entry {
        action: "account.login_failure",
        object: id.0,
        before: None,
        after: Some(json!({ "reason": reason })),
    };
    audit(tx, id, entry).await
}
