//! The keys that sign access tokens. All replicas of the service share them through the database;
//! the private halves are sealed.

use chrono::{DateTime, Utc};
use policy::desired::Secret;
use uuid::Uuid;

use crate::base::error::StoreError;
use crate::base::id::new_id;
use crate::base::queries::prunes;
use crate::base::seal::{Place, SecretsKey};
use crate::base::tx::PlatformTx;

/// The table, in the place of sealed secrets.
const TABLE: &str = "access_token_keys";

/// A key.
#[derive(Clone, Debug)]
pub struct AccessTokenKey {
    /// Its id, the `kid` of tokens.
    pub id: Uuid,
    /// The Ed25519 public key.
    pub public_key: [u8; 32],
    /// The key pair as it was given; `None` if the secrets key does not open it.
    pub pair: Option<Secret>,
    /// The time of its creation.
    pub created_at: DateTime<Utc>,
}

/// A new key pair.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// See [`AccessTokenKey::public_key`].
    pub public_key: [u8; 32],
    /// See [`AccessTokenKey::pair`].
    pub pair: Secret,
}

fn place(id: Uuid) -> Place {
    Place { table: TABLE, tenant: PlatformTx::PLATFORM, row: id }
}

/// Reads the keys that were made after a time, newest first.
pub async fn since(
    tx: &mut PlatformTx,
    secrets: &SecretsKey,
    after: DateTime<Utc>,
) -> Result<Vec<AccessTokenKey>, StoreError> {
    let rows = sqlx::query!(
        "SELECT id, public_key, secret_sealed, created_at FROM access_token_keys
         WHERE created_at > $1 ORDER BY created_at DESC, id DESC",
        after
    )
    .fetch_all(tx.conn())
    .await?;
    let keys = rows.into_iter().filter_map(|row| {
        // A CHECK of the table rules out any other length.
        let public_key = row.public_key.try_into().ok()?;
        let pair = secrets.open(place(row.id), &row.secret_sealed);
        Some(AccessTokenKey { id: row.id, public_key, pair, created_at: row.created_at })
    });
    Ok(keys.collect())
}

/// Makes a key, unless another replica has made one after `newer_than`.
pub async fn create_unless_newer(
    tx: &mut PlatformTx,
    secrets: &SecretsKey,
    new: NewKey,
    newer_than: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    /// "tokenkey" in ASCII: no other lock has this number by chance.
    const KEY_LOCK: i64 = i64::from_be_bytes(*b"tokenkey");
    sqlx::query!("SELECT pg_advisory_xact_lock($1)", KEY_LOCK).execute(tx.conn()).await?;
    let usable = since(tx, secrets, newer_than).await?.iter().any(|key| key.pair.is_some());
    if usable {
        return Ok(());
    }
    let id = new_id();
    sqlx::query!(
        "INSERT INTO access_token_keys (id, public_key, secret_sealed, created_at)
         VALUES ($1, $2, $3, $4)",
        id,
        &new.public_key[..],
        secrets.seal(place(id), &new.pair)?,
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

prunes! {
    /// Removes `most` of the keys at the most that were made before a time.
    prune: "access_token_keys" by "id" where "created_at < $1";
}
