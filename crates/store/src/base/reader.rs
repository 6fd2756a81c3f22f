//! The way in for xds-server: read-only, all tenants, in consistent snapshots.

use sqlx::{PgConnection, PgPool, Postgres, Transaction};

use crate::base::error::StoreError;
use crate::base::pool;
use crate::base::seal::SecretsKey;

/// A pool of the role `tenantry_xds`. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Reader {
    pub(crate) pool: PgPool,
    secrets_key: Option<SecretsKey>,
}

impl Reader {
    /// Connects with a login role that is a member of `tenantry_xds`. One connection is taken by
    /// [`crate::base::following::listen`].
    ///
    /// # Errors
    /// [`StoreError::UnsafeRole`] for a role that row security does not bind.
    pub async fn connect(url: &str, max_connections: u32) -> Result<Self, StoreError> {
        Ok(Self { pool: pool::connect(url, max_connections).await?, secrets_key: None })
    }

    /// Gives it the key that seals secrets. Without one they are as good as absent.
    pub fn with_secrets_key(self, key: SecretsKey) -> Self {
        Self { secrets_key: Some(key), ..self }
    }

    /// Proves that PostgreSQL answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        pool::ping(&self.pool).await
    }

    /// Begins a snapshot: everything read in it is the state after the same commit, the head of the
    /// change log included.
    pub async fn snapshot(&self) -> Result<SnapshotTx, StoreError> {
        let tx = self.pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        Ok(SnapshotTx { tx, secrets_key: self.secrets_key.clone() })
    }
}

/// One state of the database. Drop it when everything has been read.
#[derive(Debug)]
pub struct SnapshotTx {
    tx: Transaction<'static, Postgres>,
    secrets_key: Option<SecretsKey>,
}

impl SnapshotTx {
    pub(crate) fn conn(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    pub(crate) fn secrets_key(&self) -> Option<&SecretsKey> {
        self.secrets_key.as_ref()
    }
}
