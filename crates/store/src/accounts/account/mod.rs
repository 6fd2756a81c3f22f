//! Accounts of people. They belong to no tenant; the members of a tenant say what a person may do
//! in it.

mod erase;

use std::fmt;

use chrono::{DateTime, Utc};
use policy::id::TenantId;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::base::audit::{Audited, Entry};
use crate::base::error::StoreError;
use crate::base::id::new_id;
use crate::base::queries::rows;
use crate::base::tx::PlatformTx;

pub use crate::base::actor::AccountId;
pub use erase::erase;

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id: the actor of the person's requests.
    pub id: AccountId,
    /// The canonical address: lower case.
    pub email: String,
    /// The name of the person, 1 to 200 characters.
    pub name: String,
    /// The time at which the address was proven to be the person's; without it nobody logs in.
    pub verified_at: Option<DateTime<Utc>>,
    /// The time at which the password was chosen; `None` if there is none yet.
    pub password_changed_at: Option<DateTime<Utc>>,
    /// True if each login asks for a second factor.
    pub mfa: bool,
    /// The number of changes, from 1.
    pub revision: i64,
    /// The time of its creation.
    pub created_at: DateTime<Utc>,
    /// The time of the last change.
    pub updated_at: DateTime<Utc>,
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

/// The fields of a new account.
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

/// An account with its password, for a login.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The account.
    pub account: Account,
    /// The hash of its password; `None` if it has none yet.
    pub password: Option<PasswordHash>,
}

rows! { ($) account_rows =
    r#"id, email, name, verified_at, password_changed_at, password_hash, revision, created_at,
       updated_at,
       EXISTS (
           SELECT FROM totp_factors t WHERE t.account_id = a.id AND t.confirmed_at IS NOT NULL
       ) AS "mfa!""#
    => |row| Credentials {
        account: Account {
            id: AccountId(row.id),
            email: row.email,
            name: row.name,
            verified_at: row.verified_at,
            password_changed_at: row.password_changed_at,
            mfa: row.mfa,
            revision: row.revision,
            created_at: row.created_at,
            updated_at: row.updated_at,
        },
        password: row.password_hash.map(PasswordHash),
    }
}

const NOT_FOUND: StoreError = StoreError::NotFound { what: "account" };

/// Returns the form in which an address is kept and found: in lower case, without blanks around it.
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
    let id = AccountId(new_id());
    let account = account_rows!(
        "INSERT INTO accounts AS a
             (id, email, name, password_hash, password_changed_at, verified_at, created_at,
                 updated_at)
         VALUES ($1, $2, $3, $4,
                 CASE WHEN $4::text IS NULL THEN NULL ELSE $6::timestamptz END, $5, $6, $6)
         RETURNING";
        id.0,
        new.email,
        new.name,
        new.password.map(|hash| hash.0),
        new.verified_at,
        now
    )
    .fetch_one(tx.conn())
    .await
    .map_err(|error| StoreError::unique(error, &[("accounts_email_key", "email", &new.email)]))?
    .account;
    audit(tx, id, Entry::created("account.create", id, &account)).await?;
    Ok(account)
}

/// Reads an account.
pub async fn get(tx: &mut PlatformTx, id: AccountId) -> Result<Account, StoreError> {
    account_rows!("SELECT", "FROM accounts a WHERE id = $1"; id.0)
        .fetch_optional(tx.conn())
        .await?
        .map(|found| found.account)
        .ok_or(NOT_FOUND)
}

/// Finds the account of an address, in one query whether there is one or not.
pub async fn by_email(tx: &mut PlatformTx, email: &str) -> Result<Option<Credentials>, StoreError> {
    Ok(account_rows!("SELECT", "FROM accounts a WHERE email = $1"; canonical_email(email))
        .fetch_optional(tx.conn())
        .await?)
}

/// Reads an account with the hash of its password, and locks it until the end of the transaction.
/// Two statements: one that waited for the lock would see the second factor as it was before.
pub async fn lock(tx: &mut PlatformTx, id: AccountId) -> Result<Credentials, StoreError> {
    sqlx::query_scalar!("SELECT id FROM accounts WHERE id = $1 FOR UPDATE", id.0)
        .fetch_optional(tx.conn())
        .await?
        .ok_or(NOT_FOUND)?;
    account_rows!("SELECT", "FROM accounts a WHERE id = $1"; id.0)
        .fetch_optional(tx.conn())
        .await?
        .ok_or(NOT_FOUND)
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
    let after = account_rows!(
        "UPDATE accounts a SET name = $2, revision = revision + 1, updated_at = $3
         WHERE id = $1 RETURNING";
        id.0,
        name,
        now
    )
    .fetch_one(tx.conn())
    .await?
    .account;
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
    let after = account_rows!(
        "UPDATE accounts a SET password_hash = $2, password_changed_at = $3,
                revision = revision + 1, updated_at = $3
         WHERE id = $1 RETURNING";
        id.0,
        hash.0,
        now
    )
    .fetch_one(tx.conn())
    .await?
    .account;
    audit(tx, id, Entry::updated(action, id, &before, &after)).await?;
    Ok(after)
}

/// Notes that the address is proven. A verified account stays as it is.
pub async fn verify(
    tx: &mut PlatformTx,
    id: AccountId,
    now: DateTime<Utc>,
) -> Result<Account, StoreError> {
    let before = lock(tx, id).await?.account;
    if before.verified_at.is_some() {
        return Ok(before);
    }
    let after = account_rows!(
        "UPDATE accounts a SET verified_at = $2, revision = revision + 1, updated_at = $2
         WHERE id = $1 RETURNING";
        id.0,
        now
    )
    .fetch_one(tx.conn())
    .await?
    .account;
    audit(tx, id, Entry::updated("account.verify", id, &before, &after)).await?;
    Ok(after)
}

/// Writes an event of a person to the chain of each of the person's tenants; to the platform's if
/// there is none.
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

/// Reads the chains for the events of an account.
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

/// Notes a failed login. For an address without an account it does the same work.
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
