//! Sign-ups of organisations, until they are made.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::accounts::account::PasswordHash;
use crate::base::audit::{Audited, Entry};
use crate::base::error::StoreError;
use crate::base::id::new_id;
use crate::base::page::Page;
use crate::base::queries::{prunes, rows};
use crate::base::tx::PlatformTx;

/// A sign-up.
#[derive(Clone, Debug)]
pub struct Signup {
    /// Its id.
    pub id: Uuid,
    /// The canonical address of the person who signs up.
    pub email: String,
    /// The name of the person who signs up.
    pub name: String,
    /// The hash of the chosen password.
    pub password: PasswordHash,
    /// The organisation to make, as it was given.
    pub wish: Value,
    /// The time since which it waits for an operator.
    pub waiting_since: Option<DateTime<Utc>>,
    /// The time of its creation.
    pub created_at: DateTime<Utc>,
}

rows! { ($) signup_rows =
    "id, email, name, password_hash, wish, waiting_since, created_at"
    => |row| Signup {
        id: row.id,
        email: row.email,
        name: row.name,
        password: PasswordHash(row.password_hash),
        wish: row.wish,
        waiting_since: row.waiting_since,
        created_at: row.created_at,
    }
}

impl Audited for Signup {
    fn form(&self) -> Value {
        json!({
            "email": self.email,
            "name": self.name,
            "wish": self.wish,
            "waiting_since": self.waiting_since,
        })
    }
}

/// The fields of a new sign-up.
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

/// Keeps a sign-up for the time `kept`.
pub async fn create(
    tx: &mut PlatformTx,
    new: NewSignup,
    kept: TimeDelta,
    now: DateTime<Utc>,
) -> Result<Signup, StoreError> {
    let id = new_id();
    let made = signup_rows!(
        "INSERT INTO signups (id, email, name, password_hash, wish, expires_at, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING";
        id,
        new.email,
        new.name,
        new.password.0,
        new.wish,
        now + kept,
        now
    )
    .fetch_one(tx.conn())
    .await?;
    tx.core.record(PlatformTx::PLATFORM, Entry::created("signup.create", id, &made));
    Ok(made)
}

/// Reads a sign-up, and holds it until the end of the transaction.
pub async fn lock(tx: &mut PlatformTx, id: Uuid) -> Result<Signup, StoreError> {
    signup_rows!("SELECT", "FROM signups WHERE id = $1 FOR UPDATE"; id)
        .fetch_optional(tx.conn())
        .await?
        .ok_or(NOT_FOUND)
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

/// Reads the sign-up of this token, and locks it until the end of the transaction.
pub async fn by_token(
    tx: &mut PlatformTx,
    digest: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<Option<Signup>, StoreError> {
    Ok(signup_rows!(
        "SELECT", "FROM signups WHERE digest = $1 AND expires_at > $2 FOR UPDATE"; &digest[..], now
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// Notes that the address is proven: from now on the sign-up waits for an operator, for the time
/// `kept`.
pub async fn wait(
    tx: &mut PlatformTx,
    before: &Signup,
    kept: TimeDelta,
    now: DateTime<Utc>,
) -> Result<Signup, StoreError> {
    let after = signup_rows!(
        "UPDATE signups SET waiting_since = coalesce(waiting_since, $2), expires_at = $3
         WHERE id = $1 RETURNING";
        before.id,
        now,
        now + kept
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(NOT_FOUND)?;
    tx.core.record(PlatformTx::PLATFORM, Entry::updated("signup.wait", before.id, before, &after));
    Ok(after)
}

/// Reads a page of the sign-ups that wait for an operator.
pub async fn list_waiting(tx: &mut PlatformTx, page: Page) -> Result<Vec<Signup>, StoreError> {
    Ok(signup_rows!(
        "SELECT",
        "FROM signups WHERE waiting_since IS NOT NULL AND id > $1 ORDER BY id LIMIT $2";
        page.after(),
        page.limit()
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Removes a sign-up, whose organisation was made or refused.
pub async fn delete(
    tx: &mut PlatformTx,
    before: &Signup,
    action: &'static str,
) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM signups WHERE id = $1", before.id).execute(tx.conn()).await?;
    tx.core.record(PlatformTx::PLATFORM, Entry::deleted(action, before.id, before));
    Ok(())
}

prunes! {
    /// Removes `most` of the sign-ups at the most that were to be kept until a time.
    prune: "signups" by "id" where "expires_at <= $1";
}
