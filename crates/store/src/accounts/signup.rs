//! Organisations that sign up by themselves: what they want, until it is made.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::accounts::account::PasswordHash;
use crate::base::audit::{Audited, Entry};
use crate::base::error::StoreError;
use crate::base::page::Page;
use crate::base::tx::PlatformTx;

/// A sign-up.
#[derive(Clone, Debug)]
pub struct Signup {
    /// Its id.
    pub id: Uuid,
    /// The canonical address of who signs up.
    pub email: String,
    /// What people call who signs up.
    pub name: String,
    /// The hash of the password that was chosen.
    pub password: PasswordHash,
    /// What is to be made, in the form in which it was given.
    pub wish: Value,
    /// Since when it waits for an operator.
    pub waiting_since: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

struct Record {
    id: Uuid,
    email: String,
    name: String,
    password_hash: String,
    wish: Value,
    waiting_since: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

impl From<Record> for Signup {
    fn from(record: Record) -> Self {
        Self {
            id: record.id,
            email: record.email,
            name: record.name,
            password: PasswordHash(record.password_hash),
            wish: record.wish,
            waiting_since: record.waiting_since,
            created_at: record.created_at,
        }
    }
}

impl Audited for Signup {
    fn form(&self) -> Value {
        json!({ "email": self.email, "name": self.name, "wish": self.wish, "waiting_since": self.waiting_since })
    }
}

/// What a new sign-up is made of.
#[derive(Clone, Debug)]
pub struct NewSignup {
    /// See [`Signup::email`].
    pub email: String,
    /// See [`Signup::name`].
    pub name: String,
    /// See [`Signup::password`].
    pub password: PasswordHash,
    /// See [`Signup::wish`].
    pub wish: Value,
}

const NOT_FOUND: StoreError = StoreError::NotFound { what: "sign-up" };

/// Keeps a sign-up, for so long.
pub async fn create(
    tx: &mut PlatformTx,
    new: NewSignup,
    kept: TimeDelta,
    now: DateTime<Utc>,
) -> Result<Signup, StoreError> {
    let id = crate::new_id();
    sqlx::query!(
        "INSERT INTO signups (id, email, name, password_hash, wish, expires_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        id,
        new.email,
        new.name,
        new.password.0,
        new.wish,
        now + kept,
        now
    )
    .execute(tx.conn())
    .await?;
    let made = lock(tx, id).await?;
    tx.core.record(PlatformTx::PLATFORM, Entry::created("signup.create", id, &made));
    Ok(made)
}

/// Reads a sign-up, and holds it until the end of the transaction.
pub async fn lock(tx: &mut PlatformTx, id: Uuid) -> Result<Signup, StoreError> {
    let record = sqlx::query_as!(
        Record,
        "SELECT id, email, name, password_hash, wish, waiting_since, created_at FROM signups WHERE id = $1 FOR UPDATE",
        id
    );
    record.fetch_optional(tx.conn()).await?.map(Signup::from).ok_or(NOT_FOUND)
}

/// Notes the token that is being sent to the address.
pub async fn note_token(
    tx: &mut PlatformTx,
    id: Uuid,
    digest: &[u8; 32],
) -> Result<(), StoreError> {
    sqlx::query!("UPDATE signups SET digest = $2 WHERE id = $1", id, &digest[..])
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// The sign-up whose token this is, held until the end of the transaction.
pub async fn by_token(
    tx: &mut PlatformTx,
    digest: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<Option<Signup>, StoreError> {
    let record = sqlx::query_as!(
        Record,
        "SELECT id, email, name, password_hash, wish, waiting_since, created_at FROM signups
         WHERE digest = $1 AND expires_at > $2 FOR UPDATE",
        &digest[..],
        now
    );
    Ok(record.fetch_optional(tx.conn()).await?.map(Signup::from))
}

/// The address is proven: from now on an operator is waited for, for so long.
pub async fn wait(
    tx: &mut PlatformTx,
    before: &Signup,
    kept: TimeDelta,
    now: DateTime<Utc>,
) -> Result<Signup, StoreError> {
    sqlx::query!(
        "UPDATE signups SET waiting_since = coalesce(waiting_since, $2), expires_at = $3 WHERE id = $1",
        before.id,
        now,
        now + kept
    )
    .execute(tx.conn())
    .await?;
    let after = lock(tx, before.id).await?;
    tx.core.record(PlatformTx::PLATFORM, Entry::updated("signup.wait", before.id, before, &after));
    Ok(after)
}

/// Reads a page of the sign-ups that wait for an operator.
pub async fn list_waiting(tx: &mut PlatformTx, page: Page) -> Result<Vec<Signup>, StoreError> {
    let records = sqlx::query_as!(
        Record,
        "SELECT id, email, name, password_hash, wish, waiting_since, created_at FROM signups
         WHERE waiting_since IS NOT NULL AND id > $1 ORDER BY id LIMIT $2",
        page.after(),
        page.limit()
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(records.into_iter().map(Signup::from).collect())
}

/// Removes a sign-up: what it wants is made, or will not be.
pub async fn delete(
    tx: &mut PlatformTx,
    before: &Signup,
    action: &'static str,
) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM signups WHERE id = $1", before.id).execute(tx.conn()).await?;
    tx.core.record(PlatformTx::PLATFORM, Entry::deleted(action, before.id, before));
    Ok(())
}

/// Removes those that nobody has come for until a time, so many at most. Returns how many.
pub async fn prune(
    tx: &mut PlatformTx,
    before: DateTime<Utc>,
    most: i64,
) -> Result<u64, StoreError> {
    let pruned = sqlx::query!(
        "DELETE FROM signups WHERE id IN (SELECT id FROM signups WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
        before,
        most
    )
    .execute(tx.conn())
    .await?;
    Ok(pruned.rows_affected())
}
