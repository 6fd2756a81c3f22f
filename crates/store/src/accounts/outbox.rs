//! E-mail that is to be sent: written in the transaction of what it is about, sent by a task in the
//! background, and tried again until it is sent or nobody wants it any more. It may come twice, if
//! the program ends between the sending and the removal.

use chrono::{DateTime, TimeDelta, Utc};
use policy::desired::Secret;
use uuid::Uuid;

use crate::base::error::StoreError;
use crate::base::seal::{Place, SecretsKey};
use crate::base::tx::PlatformTx;

/// The table, in the place of sealed letters.
const TABLE: &str = "mail_outbox";
/// How long after a first failure the next try is. It doubles with each.
const FIRST_WAIT_S: i64 = 10;
/// How often it doubles: to some three hours.
const MAX_DOUBLINGS: i32 = 10;

/// A letter, in the form in which it was given.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Its id.
    pub id: Uuid,
    /// What was given.
    pub content: Secret,
    /// How often it was tried before.
    pub attempts: i32,
}

fn place(id: Uuid) -> Place {
    Place { table: TABLE, tenant: PlatformTx::PLATFORM, row: id }
}

/// Puts a letter in the outbox.
///
/// # Errors
/// [`StoreError::NoSecretsKey`] if there is no key to seal it with.
pub async fn put(
    tx: &mut PlatformTx,
    secrets: Option<&SecretsKey>,
    content: &Secret,
    kept: TimeDelta,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let id = crate::new_id();
    let sealed = secrets.ok_or(StoreError::NoSecretsKey)?.seal(place(id), content)?;
    sqlx::query!(
        "INSERT INTO mail_outbox (id, message_sealed, next_attempt_at, expires_at, created_at) VALUES ($1, $2, $3, $4, $3)",
        id,
        sealed,
        now,
        now + kept
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Takes a letter that is due, and notes when it is tried again unless it is removed before.
/// Letters that nobody wants any more, or that the key does not open, are removed. Commit before it
/// is sent.
pub async fn take(
    tx: &mut PlatformTx,
    secrets: &SecretsKey,
    now: DateTime<Utc>,
) -> Result<Option<Letter>, StoreError> {
    sqlx::query!("DELETE FROM mail_outbox WHERE expires_at <= $1", now).execute(tx.conn()).await?;
    let row = sqlx::query!(
        "SELECT id, message_sealed, attempts FROM mail_outbox WHERE next_attempt_at <= $1
         ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED",
        now
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let wait = FIRST_WAIT_S << row.attempts.clamp(0, MAX_DOUBLINGS);
    sqlx::query!(
        "UPDATE mail_outbox SET attempts = attempts + 1, next_attempt_at = $2 WHERE id = $1",
        row.id,
        now + TimeDelta::seconds(wait)
    )
    .execute(tx.conn())
    .await?;
    let content = secrets.open(place(row.id), &row.message_sealed).unwrap_or(Secret(Vec::new()));
    Ok(Some(Letter { id: row.id, content, attempts: row.attempts }))
}

/// Replaces what a letter says, so that it says the same whenever it is tried.
pub async fn rewrite(
    tx: &mut PlatformTx,
    secrets: &SecretsKey,
    id: Uuid,
    content: &Secret,
) -> Result<(), StoreError> {
    let sealed = secrets.seal(place(id), content)?;
    sqlx::query!("UPDATE mail_outbox SET message_sealed = $2 WHERE id = $1", id, sealed)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Removes a letter that was sent, or that is for nobody.
pub async fn remove(tx: &mut PlatformTx, id: Uuid) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM mail_outbox WHERE id = $1", id).execute(tx.conn()).await?;
    Ok(())
}

/// Removes the letters that nobody wants any more since before a time, so many at most: there may
/// be nobody who sends any. Returns how many.
pub async fn prune(
    tx: &mut PlatformTx,
    before: DateTime<Utc>,
    most: i64,
) -> Result<u64, StoreError> {
    let pruned = sqlx::query!(
        "DELETE FROM mail_outbox WHERE id IN (
             SELECT id FROM mail_outbox WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
        before,
        most
    )
    .execute(tx.conn())
    .await?;
    Ok(pruned.rows_affected())
}
