//! E-mail to send: written in the transaction that causes it, sent by a background task, and tried
//! again until it is sent or expires. It may arrive twice, if the program ends between sending and
//! removal.

use chrono::{DateTime, TimeDelta, Utc};
use policy::desired::Secret;
use uuid::Uuid;

use crate::base::error::StoreError;
use crate::base::id::new_id;
use crate::base::queries::prunes;
use crate::base::seal::{Place, SecretsKey};
use crate::base::tx::PlatformTx;

/// The table, in the place of sealed letters.
const TABLE: &str = "mail_outbox";
/// The wait after a first failure, in seconds. It doubles with each.
const FIRST_WAIT_S: i64 = 10;
/// The most doublings: they lead to some three hours.
const MAX_DOUBLINGS: i32 = 10;

/// A letter.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Its id.
    pub id: Uuid,
    /// Its content, as it was given.
    pub content: Secret,
    /// The number of attempts before.
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
    let id = new_id();
    let sealed = secrets.ok_or(StoreError::NoSecretsKey)?.seal(place(id), content)?;
    sqlx::query!(
        "INSERT INTO mail_outbox (id, message_sealed, next_attempt_at, expires_at, created_at)
         VALUES ($1, $2, $3, $4, $3)",
        id,
        sealed,
        now,
        now + kept
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Takes a letter that is due, and sets the time of the next attempt. Expired letters are removed;
/// one that the key does not open has no content. Commit before sending.
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

/// Replaces the content of a letter, so that every attempt sends the same.
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

/// Removes a letter that was sent, or has no recipient.
pub async fn remove(tx: &mut PlatformTx, id: Uuid) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM mail_outbox WHERE id = $1", id).execute(tx.conn()).await?;
    Ok(())
}

prunes! {
    /// Removes `most` of the letters at the most that expired before a time: without a sender
    /// nothing else does.
    prune: "mail_outbox" by "id" where "expires_at <= $1";
}
