//! Connections, and the migrations.

use std::{str::FromStr as _, time::Duration};

use policy::trace_parent::TraceParent;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, Postgres, Transaction};

use crate::base::error::StoreError;
use crate::base::party::{ConnectionShares, Work};

/// The longest wait of a request for a connection: longer than any burst should last, shorter than
/// a client's patience.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest run of a statement, in milliseconds. Removing a tenant with a million keys takes
/// less.
const STATEMENT_TIMEOUT_MS: &str = "60000";
/// The longest pause inside a transaction, in milliseconds: it ends one whose program hangs while
/// it holds locks.
const IDLE_IN_TRANSACTION_TIMEOUT_MS: &str = "30000";
/// The longest wait of a write for another that has locked the row, in milliseconds.
const LOCK_TIMEOUT_MS: &str = "10000";

/// PostgreSQL compiles queries of a high estimated cost. Those that read everything are such, come
/// by the dozen, and gain nothing: with 10,000 sites and a million keys an xds-server was ready
/// after 11.1 s without the compiler, and after 12.9 s with it.
const JIT: &str = "off";

/// The same bounds for connections on which nothing can be set: they end with the transaction.
/// Another client may have left prepared statements behind under the names that ours get: sqlx
/// names them even if it does not keep them.
const BEGIN_BOUNDED: &str = "BEGIN; DEALLOCATE ALL; SET LOCAL statement_timeout = 60000; \
    SET LOCAL idle_in_transaction_session_timeout = 30000; SET LOCAL lock_timeout = 10000; \
    SET LOCAL jit = off";

/// The kinds of connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pooling {
    /// A session of PostgreSQL's own.
    #[default]
    Session,
    /// A pooler in transaction mode, such as pgbouncer: each transaction may be in another session.
    /// So none is relied on: no settings, no prepared statements, and no LISTEN; two messages that
    /// belong together are a transaction.
    Transaction,
}

/// The migrations, embedded in the program.
static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations");

/// The way in for the program that writes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) pool: PgPool,
    pub(crate) pooling: Pooling,
    pub(crate) trace: fn() -> Option<TraceParent>,
    pub(crate) shares: ConnectionShares,
    pub(crate) work: Work,
}

/// A connection for one query, which in the transaction mode of a pooler has to be a transaction:
/// describing and running a statement are two messages, and another client could put its own
/// statement in between.
#[derive(Debug)]
pub(crate) enum Reading {
    Direct(PoolConnection<Postgres>),
    InTransaction(Transaction<'static, Postgres>),
}

impl Reading {
    pub(crate) fn conn(&mut self) -> &mut PgConnection {
        match self {
            Self::Direct(connection) => connection,
            Self::InTransaction(tx) => tx,
        }
    }
}

impl Store {
    /// Connects with a login role that is a member of `tenantry_admin`.
    ///
    /// # Errors
    /// [`StoreError::UnsafeRole`] for a role that row security does not bind.
    pub async fn connect(url: &str, max_connections: u32) -> Result<Self, StoreError> {
        Self::connect_through(url, max_connections, Pooling::Session).await
    }

    /// Connects in the same way, through a pooler perhaps.
    pub async fn connect_through(
        url: &str,
        max_connections: u32,
        pooling: Pooling,
    ) -> Result<Self, StoreError> {
        let pool = connect_pool(url, max_connections, pooling).await?;
        let shares = ConnectionShares::of(max_connections);
        Ok(Self { pool, pooling, trace: || None, shares, work: Work::default() })
    }

    /// Has each change carry the place of its commit in a trace, so that the push of the change can
    /// be joined with it. `trace` returns the place of the current span.
    pub fn traced_by(self, trace: fn() -> Option<TraceParent>) -> Self {
        Self { trace, ..self }
    }

    /// Begins a transaction without a scope.
    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        begin(&self.pool, self.pooling).await
    }

    /// Takes a connection for one query that reads.
    pub(crate) async fn reading(&self) -> Result<Reading, sqlx::Error> {
        Ok(match self.pooling {
            Pooling::Session => Reading::Direct(self.pool.acquire().await?),
            Pooling::Transaction => Reading::InTransaction(self.begin().await?),
        })
    }

    /// Proves that PostgreSQL answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        ping(&self.pool).await
    }
}

/// Applies the migrations that the database lacks, as the owner of its tables. Several programs may
/// run it at once.
pub async fn migrate(owner_url: &str) -> Result<(), StoreError> {
    let mut connection = PgConnectOptions::from_str(owner_url)?
        .application_name("tenantry-migrate")
        .connect()
        .await?;
    MIGRATIONS.run(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

pub(crate) async fn connect(url: &str, max_connections: u32) -> Result<PgPool, StoreError> {
    connect_pool(url, max_connections, Pooling::Session).await
}

async fn connect_pool(
    url: &str,
    max_connections: u32,
    pooling: Pooling,
) -> Result<PgPool, StoreError> {
    let options = PgConnectOptions::from_str(url)?.application_name("tenantry");
    let options = match pooling {
        Pooling::Session => options.options([
            ("statement_timeout", STATEMENT_TIMEOUT_MS),
            ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION_TIMEOUT_MS),
            ("lock_timeout", LOCK_TIMEOUT_MS),
            ("jit", JIT),
        ]),
        Pooling::Transaction => options.statement_cache_capacity(0),
    };
    let pool = PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(options)
        .await?;
    let mut tx = begin(&pool, pooling).await?;
    let role = sqlx::query!(
        r#"SELECT rolname AS "name!", rolsuper OR rolbypassrls AS "unsafe!" FROM pg_roles
           WHERE rolname = current_user"#
    )
    .fetch_one(&mut *tx)
    .await?;
    drop(tx);
    if role.r#unsafe {
        return Err(StoreError::UnsafeRole { role: role.name });
    }
    Ok(pool)
}

async fn begin(
    pool: &PgPool,
    pooling: Pooling,
) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    match pooling {
        Pooling::Session => pool.begin().await,
        Pooling::Transaction => pool.begin_with(BEGIN_BOUNDED).await,
    }
}

pub(crate) async fn ping(pool: &PgPool) -> Result<(), StoreError> {
    // A message of its own, and no prepared statement.
    Ok(pool.acquire().await?.ping().await?)
}
