//! The database that a command reads.

use std::path::PathBuf;

use clap::Args;
use store::Reader;
use store::StoreError;
use store::seal::SecretsKey;

use service::flags::DatabaseUrl;

/// One connection is enough to look.
const CONNECTIONS: u32 = 1;

/// The flags by which a command finds the database.
#[derive(Clone, Debug, Args)]
pub struct Database {
    /// PostgreSQL, with a login role that is a member of `tenantry_xds`.
    #[arg(long, env = "TENANTRY_DATABASE_URL", hide_env_values = true)]
    pub database_url: DatabaseUrl,
    /// The file with the secrets key that `serve` has.
    #[arg(long, env = "TENANTRY_SECRETS_KEY_FILE")]
    pub secrets_key_file: Option<PathBuf>,
}

impl Database {
    pub(super) async fn connect(
        &self,
        secrets_key: Option<SecretsKey>,
    ) -> Result<Reader, StoreError> {
        let reader = Reader::connect(self.database_url.reveal(), CONNECTIONS).await?;
        Ok(match secrets_key {
            Some(key) => reader.with_secrets_key(key),
            None => reader,
        })
    }
}
