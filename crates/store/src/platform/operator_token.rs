//! Operator tokens: who may run the platform. Only their digests are kept.

use chrono::{DateTime, Utc};
use policy::id::Uuid;
use serde_json::{Value, json};

use crate::base::audit::{Audited, Entry};
use crate::base::error::StoreError;
use crate::base::pool::Store;
use crate::base::tx::PlatformTx;

/// A token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorToken {
    /// The token's id: the actor of what is done with it.
    pub id: Uuid,
    /// What people call it, 1 to 200 characters.
    pub name: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
}

impl Audited for OperatorToken {
    fn form(&self) -> Value {
        json!({ "name": self.name, "revoked_at": self.revoked_at })
    }
}

impl Store {
    /// Finds the token with this SHA-256 digest, unless it was revoked. One query, for it precedes
    /// every request.
    pub async fn authenticate(
        &self,
        digest: &[u8; 32],
    ) -> Result<Option<OperatorToken>, StoreError> {
        let mut reading = self.reading().await?;
        Ok(sqlx::query_as!(
            OperatorToken,
            "SELECT id, name, created_at, revoked_at FROM operator_tokens WHERE digest = $1 AND revoked_at IS NULL",
            &digest[..]
        )
        .fetch_optional(reading.conn())
        .await?)
    }
}

/// Makes a token.
pub async fn create(
    tx: &mut PlatformTx,
    name: &str,
    digest: &[u8; 32],
) -> Result<OperatorToken, StoreError> {
    let token = sqlx::query_as!(
        OperatorToken,
        "INSERT INTO operator_tokens (id, name, digest) VALUES ($1, $2, $3) RETURNING id, name, created_at, revoked_at",
        crate::new_id(),
        name,
        &digest[..]
    )
    .fetch_one(tx.conn())
    .await?;
    tx.core.record(PlatformTx::PLATFORM, Entry::created("operator_token.create", token.id, &token));
    Ok(token)
}

/// Makes the first token of the platform; `None` if there has ever been one. Programs that start at
/// the same time make one between them.
pub async fn create_first(
    tx: &mut PlatformTx,
    name: &str,
    digest: &[u8; 32],
) -> Result<Option<OperatorToken>, StoreError> {
    /// "firsttok" in ASCII: no other lock has this number by chance.
    const FIRST_TOKEN_LOCK: i64 = i64::from_be_bytes(*b"firsttok");
    sqlx::query!("SELECT pg_advisory_xact_lock($1)", FIRST_TOKEN_LOCK).execute(tx.conn()).await?;
    let any = sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM operator_tokens) AS "any!""#)
        .fetch_one(tx.conn())
        .await?;
    if any { Ok(None) } else { create(tx, name, digest).await.map(Some) }
}

/// Reads all tokens, revoked ones included, oldest first.
pub async fn list(tx: &mut PlatformTx) -> Result<Vec<OperatorToken>, StoreError> {
    Ok(sqlx::query_as!(
        OperatorToken,
        "SELECT id, name, created_at, revoked_at FROM operator_tokens ORDER BY id"
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Revokes a token. One that is revoked stays as it is.
pub async fn revoke(tx: &mut PlatformTx, id: Uuid) -> Result<OperatorToken, StoreError> {
    let before = sqlx::query_as!(
        OperatorToken,
        "SELECT id, name, created_at, revoked_at FROM operator_tokens WHERE id = $1 FOR UPDATE",
        id
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(StoreError::NotFound { what: "operator token" })?;
    if before.revoked_at.is_some() {
        return Ok(before);
    }
    let after = sqlx::query_as!(
        OperatorToken,
        "UPDATE operator_tokens SET revoked_at = now() WHERE id = $1 RETURNING id, name, created_at, revoked_at",
        id
    )
    .fetch_one(tx.conn())
    .await?;
    tx.core
        .record(PlatformTx::PLATFORM, Entry::updated("operator_token.revoke", id, &before, &after));
    Ok(after)
}
