//! Operator tokens: the credentials of the platform's operators. Only their digests are kept.

use chrono::{DateTime, Utc};
use policy::id::Uuid;
use serde_json::{Value, json};

use crate::base::audit::{Audited, Entry};
use crate::base::error::StoreError;
use crate::base::id::new_id;
use crate::base::pool::Store;
use crate::base::queries::rows;
use crate::base::tx::PlatformTx;

/// A token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorToken {
    /// The token's id: the actor of its requests.
    pub id: Uuid,
    /// A name for people, 1 to 200 characters.
    pub name: String,
    /// The time of its creation.
    pub created_at: DateTime<Utc>,
    /// The time of its revocation.
    pub revoked_at: Option<DateTime<Utc>>,
}

rows! { ($) token_rows =
    "id, name, created_at, revoked_at"
    => |row| OperatorToken {
        id: row.id,
        name: row.name,
        created_at: row.created_at,
        revoked_at: row.revoked_at,
    }
}

impl Audited for OperatorToken {
    fn form(&self) -> Value {
        json!({ "name": self.name, "revoked_at": self.revoked_at })
    }
}

impl Store {
    /// Finds the token with this SHA-256 digest, unless it was revoked. One query, because it
    /// precedes every request.
    pub async fn authenticate(
        &self,
        digest: &[u8; 32],
    ) -> Result<Option<OperatorToken>, StoreError> {
        let mut reading = self.reading().await?;
        Ok(token_rows!(
            "SELECT", "FROM operator_tokens WHERE digest = $1 AND revoked_at IS NULL"; &digest[..]
        )
        .fetch_optional(reading.conn())
        .await?)
    }
}

/// Makes a token.
async fn create(
    tx: &mut PlatformTx,
    name: &str,
    digest: &[u8; 32],
) -> Result<OperatorToken, StoreError> {
    let token = token_rows!(
        "INSERT INTO operator_tokens (id, name, digest) VALUES ($1, $2, $3) RETURNING";
        new_id(),
        name,
        &digest[..]
    )
    .fetch_one(tx.conn())
    .await?;
    tx.core.record(PlatformTx::PLATFORM, Entry::created("operator_token.create", token.id, &token));
    Ok(token)
}

/// Makes the first token of the platform; `None` if there has ever been one. Of several programs
/// that start together, one makes it.
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

/// Revokes a token. One that is revoked stays as it is.
pub async fn revoke(tx: &mut PlatformTx, id: Uuid) -> Result<OperatorToken, StoreError> {
    let before = token_rows!("SELECT", "FROM operator_tokens WHERE id = $1 FOR UPDATE"; id)
        .fetch_optional(tx.conn())
        .await?
        .ok_or(StoreError::NotFound { what: "operator token" })?;
    if before.revoked_at.is_some() {
        return Ok(before);
    }
    let after =
        token_rows!("UPDATE operator_tokens SET revoked_at = now() WHERE id = $1 RETURNING"; id)
            .fetch_one(tx.conn())
            .await?;
    tx.core
        .record(PlatformTx::PLATFORM, Entry::updated("operator_token.revoke", id, &before, &after));
    Ok(after)
}
