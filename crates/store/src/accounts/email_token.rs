//! Tokens that are sent by e-mail: they prove that a person reads the mail of an address.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use crate::accounts::account::{self, Account, AccountId};
use crate::base::audit::Entry;
use crate::base::error::StoreError;
use crate::base::queries::prunes;
use crate::base::tx::PlatformTx;

/// The purpose of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Proves that the address is the person's.
    Verify,
    /// Lets the person choose another password.
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
        "INSERT INTO email_tokens (digest, account_id, purpose, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5)",
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

/// Reads the account of a token that is good and unused.
pub async fn find(
    tx: &mut PlatformTx,
    purpose: Purpose,
    digest: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<Option<Account>, StoreError> {
    let account = sqlx::query_scalar!(
        "SELECT account_id FROM email_tokens
         WHERE digest = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3 FOR UPDATE",
        &digest[..],
        purpose.as_str(),
        now
    );
    match account.fetch_optional(tx.conn()).await? {
        Some(account) => account::get(tx, AccountId(account)).await.map(Some),
        None => Ok(None),
    }
}

/// Ends a token, and all others of the account for the same purpose.
pub async fn spend(
    tx: &mut PlatformTx,
    account: AccountId,
    purpose: Purpose,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE email_tokens SET used_at = $3
         WHERE account_id = $1 AND purpose = $2 AND used_at IS NULL",
        account.0,
        purpose.as_str(),
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

prunes! {
    /// Removes `most` of the tokens at the most that expired before a time.
    prune: "email_tokens" by "digest" where "expires_at < $1";
}
