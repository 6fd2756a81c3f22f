//! Tokens that are sent by e-mail: who has one reads the mail of the address.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use crate::accounts::account::{self, Account, AccountId};
use crate::base::audit::Entry;
use crate::base::error::StoreError;
use crate::base::tx::PlatformTx;

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To prove that the address is the person's.
    Verify,
    /// To choose another password.
    Reset,
}

impl Purpose {
    fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Reset => "reset",
        }
    }
}

/// Notes a token that is being sent.
pub async fn create(
    tx: &mut PlatformTx,
    account: AccountId,
    purpose: Purpose,
    digest: &[u8; 32],
    good: TimeDelta,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO email_tokens (digest, account_id, purpose, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)",
        &digest[..],
        account.0,
        purpose.as_str(),
        now,
        now + good
    )
    .execute(tx.conn())
    .await?;
    let after = Some(json!({ "purpose": purpose.as_str() }));
    let entry = Entry { action: "account.email_token", object: account.0, before: None, after };
    account::audit(tx, account, entry).await
}

/// The account of a token that is good, and was not used.
pub async fn find(
    tx: &mut PlatformTx,
    purpose: Purpose,
    digest: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<Option<Account>, StoreError> {
    let account = sqlx::query_scalar!(
        "SELECT account_id FROM email_tokens WHERE digest = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3 FOR UPDATE",
        &digest[..],
        purpose.as_str(),
        now
    );
    match account.fetch_optional(tx.conn()).await? {
        Some(account) => account::get(tx, AccountId(account)).await.map(Some),
        None => Ok(None),
    }
}

/// Ends a token, and with it all others of the account that are for the same.
pub async fn spend(
    tx: &mut PlatformTx,
    account: AccountId,
    purpose: Purpose,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE email_tokens SET used_at = $3 WHERE account_id = $1 AND purpose = $2 AND used_at IS NULL",
        account.0,
        purpose.as_str(),
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Removes the tokens that expired before a time, so many at most. Returns how many.
pub async fn prune(
    tx: &mut PlatformTx,
    before: DateTime<Utc>,
    most: i64,
) -> Result<u64, StoreError> {
    let pruned = sqlx::query!(
        "DELETE FROM email_tokens WHERE digest IN (
             SELECT digest FROM email_tokens WHERE expires_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
        before,
        most
    )
    .execute(tx.conn())
    .await?;
    Ok(pruned.rows_affected())
}
