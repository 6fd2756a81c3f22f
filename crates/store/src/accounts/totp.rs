//! The second factor of accounts: a shared secret that makes codes (RFC 6238), and the recovery
//! codes that replace it when it is lost.

use chrono::{DateTime, Utc};
use policy::desired::Secret;
use serde_json::json;

use crate::accounts::account::{self, Account, AccountId};
use crate::base::audit::Entry;
use crate::base::error::StoreError;
use crate::base::queries::prunes;
use crate::base::seal::{Place, SecretsKey};
use crate::base::tx::PlatformTx;

/// The table, in the place of sealed secrets.
const TABLE: &str = "totp_factors";

/// A factor.
#[derive(Clone, Debug)]
pub struct Factor {
    /// The secret.
    pub secret: Secret,
    /// The time of its confirmation; `None` while it is being set up.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// The time step of the last code that was accepted. Only codes of later steps are good.
    pub last_step: i64,
}

fn place(account: AccountId) -> Place {
    Place { table: TABLE, tenant: PlatformTx::PLATFORM, row: account.0 }
}

/// Reads the factor of an account, and holds it until the end of the transaction, so that no code
/// is taken twice.
///
/// # Errors
/// [`StoreError::NoSecretsKey`] if there is a factor, and no key that opens it.
pub async fn lock(
    tx: &mut PlatformTx,
    secrets: Option<&SecretsKey>,
    account: AccountId,
) -> Result<Option<Factor>, StoreError> {
    let row = sqlx::query!(
        "SELECT secret_sealed, confirmed_at, last_step FROM totp_factors
         WHERE account_id = $1 FOR UPDATE",
        account.0
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let secret = secrets
        .and_then(|key| key.open(place(account), &row.secret_sealed))
        .ok_or(StoreError::NoSecretsKey)?;
    Ok(Some(Factor { secret, confirmed_at: row.confirmed_at, last_step: row.last_step }))
}

/// Begins to set up a factor. One that is being set up is replaced.
///
/// # Errors
/// [`StoreError::FactorExists`] if one is set up; it has to be taken away first.
pub async fn enrol(
    tx: &mut PlatformTx,
    secrets: Option<&SecretsKey>,
    account: AccountId,
    secret: &Secret,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let sealed = secrets.ok_or(StoreError::NoSecretsKey)?.seal(place(account), secret)?;
    let written = sqlx::query!(
        "INSERT INTO totp_factors AS f (account_id, secret_sealed, created_at) VALUES ($1, $2, $3)
         ON CONFLICT (account_id) DO UPDATE
         SET secret_sealed = excluded.secret_sealed, created_at = excluded.created_at, last_step = 0
         WHERE f.confirmed_at IS NULL",
        account.0,
        sealed,
        now
    )
    .execute(tx.conn())
    .await?;
    if written.rows_affected() == 0 {
        return Err(StoreError::FactorExists);
    }
    let entry = Entry { action: "account.mfa_enrol", object: account.0, before: None, after: None };
    account::audit(tx, account, entry).await
}

/// Notes an accepted code.
pub async fn use_step(
    tx: &mut PlatformTx,
    account: AccountId,
    step: i64,
) -> Result<(), StoreError> {
    sqlx::query!("UPDATE totp_factors SET last_step = $2 WHERE account_id = $1", account.0, step)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Confirms the factor: logins ask for it from now on. The digests are those of the recovery codes.
pub async fn confirm(
    tx: &mut PlatformTx,
    account: AccountId,
    recovery_codes: &[[u8; 32]],
    now: DateTime<Utc>,
) -> Result<Account, StoreError> {
    let before = account::get(tx, account).await?;
    let digests: Vec<Vec<u8>> = recovery_codes.iter().map(|digest| digest.to_vec()).collect();
    sqlx::query!("UPDATE totp_factors SET confirmed_at = $2 WHERE account_id = $1", account.0, now)
        .execute(tx.conn())
        .await?;
    sqlx::query!("DELETE FROM recovery_codes WHERE account_id = $1", account.0)
        .execute(tx.conn())
        .await?;
    sqlx::query!(
        "INSERT INTO recovery_codes (account_id, digest)
         SELECT $1, digest FROM unnest($2::bytea[]) AS given (digest)",
        account.0,
        &digests
    )
    .execute(tx.conn())
    .await?;
    changed(tx, account, "account.mfa_on", before, now).await
}

/// Takes the factor away.
pub async fn disable(
    tx: &mut PlatformTx,
    account: AccountId,
    now: DateTime<Utc>,
) -> Result<Account, StoreError> {
    let before = account::get(tx, account).await?;
    sqlx::query!("DELETE FROM totp_factors WHERE account_id = $1", account.0)
        .execute(tx.conn())
        .await?;
    sqlx::query!("DELETE FROM recovery_codes WHERE account_id = $1", account.0)
        .execute(tx.conn())
        .await?;
    changed(tx, account, "account.mfa_off", before, now).await
}

async fn changed(
    tx: &mut PlatformTx,
    id: AccountId,
    action: &'static str,
    before: Account,
    now: DateTime<Utc>,
) -> Result<Account, StoreError> {
    sqlx::query!(
        "UPDATE accounts SET revision = revision + 1, updated_at = $2 WHERE id = $1",
        id.0,
        now
    )
    .execute(tx.conn())
    .await?;
    let after = account::get(tx, id).await?;
    account::audit(tx, id, Entry::updated(action, id, &before, &after)).await?;
    Ok(after)
}

/// Uses up a recovery code. Returns false if it is none, or was used.
pub async fn use_recovery_code(
    tx: &mut PlatformTx,
    account: AccountId,
    digest: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let used = sqlx::query!(
        "UPDATE recovery_codes SET used_at = $3
         WHERE account_id = $1 AND digest = $2 AND used_at IS NULL",
        account.0,
        &digest[..],
        now
    )
    .execute(tx.conn())
    .await?
    .rows_affected()
        == 1;
    if used {
        let left = sqlx::query_scalar!(
            r#"SELECT count(*) AS "left!" FROM recovery_codes
               WHERE account_id = $1 AND used_at IS NULL"#,
            account.0
        )
        .fetch_one(tx.conn())
        .await?;
        let after = Some(json!({ "recovery_codes_left": left }));
        let entry =
            Entry { action: "account.recovery_code", object: account.0, before: None, after };
        account::audit(tx, account, entry).await?;
    }
    Ok(used)
}

prunes! {
    /// Removes `most` of the factors at the most that were begun before a time and never confirmed.
    prune: "totp_factors" by "account_id" where "confirmed_at IS NULL AND created_at < $1";
}
