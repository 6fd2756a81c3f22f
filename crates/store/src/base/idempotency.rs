//! Answers kept for `Idempotency-Key`, written in the transaction of the mutation that they answer.

use crate::base::error::StoreError;
use crate::base::queries::prunes;
use crate::base::tx::ScopedTx;

/// The hours for which an answer is kept.
pub const KEPT_HOURS: i32 = 24;
/// The number of old answers that one request removes: more than it adds, so that they get fewer.
const PURGED_AT_ONCE: i64 = 20;

/// The identity of a request that may be repeated. All fields are SHA-256 digests.
#[derive(Clone, Debug)]
pub struct IdempotencyKey {
    /// The caller.
    pub principal_hash: [u8; 32],
    /// The key that was sent.
    pub key_hash: [u8; 32],
    /// Method, path and body.
    pub request_hash: [u8; 32],
}

/// The way to go on with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begin {
    /// It is new: do the work, and call [`finish`] before the commit.
    Fresh,
    /// The work was done: give this answer again.
    Replay {
        /// The HTTP status.
        status: u16,
        /// The body, as it was sealed by the program.
        sealed_body: Vec<u8>,
    },
    /// The key was used for another request.
    Mismatch,
}

/// Claims the key for this transaction. A request with the same key at the same time waits here
/// until this transaction ends: then it gets the answer, or, after a rollback, the claim.
pub async fn begin<T: ScopedTx>(tx: &mut T, key: &IdempotencyKey) -> Result<Begin, StoreError> {
    let core = tx.core();
    sqlx::query!(
        "DELETE FROM idempotency_keys WHERE (principal_hash, key_hash) IN (
             SELECT principal_hash, key_hash FROM idempotency_keys
             WHERE created_at < now() - make_interval(hours => $1)
                 LIMIT $2 FOR UPDATE SKIP LOCKED)",
        KEPT_HOURS,
        PURGED_AT_ONCE
    )
    .execute(core.conn())
    .await?;
    let claimed = sqlx::query!(
        "INSERT INTO idempotency_keys AS kept (principal_hash, key_hash, request_hash)
         VALUES ($1, $2, $3)
         ON CONFLICT (principal_hash, key_hash) DO UPDATE
         SET request_hash = excluded.request_hash, status = NULL, sealed_body = NULL,
             created_at = excluded.created_at
         WHERE kept.created_at < now() - make_interval(hours => $4)",
        &key.principal_hash[..],
        &key.key_hash[..],
        &key.request_hash[..],
        KEPT_HOURS
    )
    .execute(core.conn())
    .await?;
    if claimed.rows_affected() == 1 {
        core.unfinished_idempotency = true;
        return Ok(Begin::Fresh);
    }
    let kept = sqlx::query!(
        "SELECT request_hash, status, sealed_body FROM idempotency_keys
         WHERE principal_hash = $1 AND key_hash = $2",
        &key.principal_hash[..],
        &key.key_hash[..]
    )
    .fetch_one(core.conn())
    .await?;
    let status = kept.status.and_then(|status| u16::try_from(status).ok());
    match (status, kept.sealed_body) {
        (Some(status), Some(sealed_body)) if kept.request_hash == key.request_hash => {
            Ok(Begin::Replay { status, sealed_body })
        }
        _ => Ok(Begin::Mismatch),
    }
}

/// Keeps the answer, to be given again if the request is repeated.
pub async fn finish<T: ScopedTx>(
    tx: &mut T,
    key: &IdempotencyKey,
    status: u16,
    sealed_body: &[u8],
) -> Result<(), StoreError> {
    let core = tx.core();
    sqlx::query!(
        "UPDATE idempotency_keys SET status = $3, sealed_body = $4
         WHERE principal_hash = $1 AND key_hash = $2",
        &key.principal_hash[..],
        &key.key_hash[..],
        i16::try_from(status).unwrap_or_default(),
        sealed_body
    )
    .execute(core.conn())
    .await?;
    core.unfinished_idempotency = false;
    Ok(())
}

prunes! {
    /// Removes `most` of the answers at the most that were kept before a time: [`begin`] does so
    /// only while there are requests.
    prune: "idempotency_keys" by "principal_hash, key_hash" where "created_at < $1";
}
