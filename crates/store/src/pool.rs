//! Connections, and the migrations.

use std::{str::FromStr as _, time::Duration};

use policy::id::TenantId;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::StoreError;
use crate::tx::{Actor, AuditTx, PlatformTx, TenantTx};

/// How long a request waits for a connection: longer than any burst should last, shorter than a client's patience.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// Ends a statement that hangs. Removing a tenant with a million keys takes less.
const STATEMENT_TIMEOUT_MS: &str = "60000";
/// Ends a transaction whose program hangs while it holds locks.
const IDLE_IN_TRANSACTION_TIMEOUT_MS: &str = "30000";
/// How long a write waits for another that holds the row.
const LOCK_TIMEOUT_MS: &str = "10000";

/// PostgreSQL compiles queries whose estimated cost is high. Those that read everything are such, come by the dozen, and gain nothing:
/// with 10,000 sites and a million keys an xds-server was ready after 11.1 s without the compiler, and after 12.9 s with it.
const JIT: &str = "off";

/// The migrations, embedded in the program.
static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations");

/// The way in for the program that writes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) pool: PgPool,
}

impl Store {
    /// Connects with a login role that is a member of `tenantry_admin`.
    ///
    /// # Errors
    /// [`StoreError::UnsafeRole`] for a role that row security does not bind.
    pub async fn connect(url: &str, max_connections: u32) -> Result<Self, StoreError> {
        Ok(Self { pool: connect(url, max_connections).await? })
    }

    /// Proves that PostgreSQL answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        ping(&self.pool).await
    }

    /// Begins a transaction that sees and writes the rows of one tenant. It does not prove that the tenant exists: in an
    /// absent tenant nothing is found, and nothing can be made.
    pub async fn tenant(&self, tenant: TenantId, actor: &Actor) -> Result<TenantTx, StoreError> {
        TenantTx::begin(&self.pool, tenant, actor.clone()).await
    }

    /// Begins a transaction that sees and writes what is the platform's: tenants, operator tokens, retention.
    pub async fn platform(&self, actor: &Actor) -> Result<PlatformTx, StoreError> {
        PlatformTx::begin(&self.pool, actor.clone()).await
    }

    /// Begins a transaction that reads the audit log of all tenants, and nothing else of theirs.
    pub async fn audit(&self, actor: &Actor) -> Result<AuditTx, StoreError> {
        AuditTx::begin(&self.pool, actor.clone()).await
    }
}

/// Applies the migrations that the database lacks, as the owner of its tables. Safe to run from several places at once.
pub async fn migrate(owner_url: &str) -> Result<(), StoreError> {
    let mut connection = PgConnectOptions::from_str(owner_url)?.application_name("tenantry-migrate").connect().await?;
    MIGRATIONS.run(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

pub(crate) async fn connect(url: &str, max_connections: u32) -> Result<PgPool, StoreError> {
    let options = PgConnectOptions::from_str(url)?.application_name("tenantry").options([
        ("statement_timeout", STATEMENT_TIMEOUT_MS),
        ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION_TIMEOUT_MS),
        ("lock_timeout", LOCK_TIMEOUT_MS),
        ("jit", JIT),
    ]);
    let pool = PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(options)
        .await?;
    let role = sqlx::query!(
        r#"SELECT rolname AS "name!", rolsuper OR rolbypassrls AS "unsafe!" FROM pg_roles WHERE rolname = current_user"#
    )
    .fetch_one(&pool)
    .await?;
    if role.r#unsafe {
        return Err(StoreError::UnsafeRole { role: role.name });
    }
    Ok(pool)
}

pub(crate) async fn ping(pool: &PgPool) -> Result<(), StoreError> {
    sqlx::query_scalar!(r#"SELECT 1 AS "one!""#).fetch_one(pool).await?;
    Ok(())
}
