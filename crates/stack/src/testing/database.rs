//! A migrated database for each test, quickly: the migrations run once into a template, and each
//! test gets a copy.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, Executor};
use tokio::sync::OnceCell;

use crate::postgres::{Cluster, Database, DatabaseServer, Group, create, exists};
use crate::testing::new_cluster;
use crate::workspace_root;

/// The variable by which `cargo xtask test` passes on the server of the run: a superuser's URL.
pub const SERVER: &str = "TENANTRY_TEST_DATABASE_URL";

/// Any constant will do, as long as every test process takes the same: held while the template is
/// made.
const TEMPLATE_LOCK: i64 = 0x7465_6d70;

/// The server of this test process, if `cargo xtask test` has named none.
static OWN_CLUSTER: OnceCell<Cluster> = OnceCell::const_new();

/// A migrated database of one test on the shared server, with a login for each program.
#[derive(Debug)]
pub struct TestDatabase {
    server: DatabaseServer,
    pub database: Database,
    /// The login of the admin service; its password is the name of the database.
    pub admin_url: String,
    /// The login of xds-server, likewise.
    pub xds_url: String,
}

impl TestDatabase {
    pub async fn create() -> Result<TestDatabase> {
        let server = shared_server().await?;
        let database = fresh(&server).await?;
        let admin_url = database.login(Group::Admin, database.name()).await?;
        let xds_url = database.login(Group::Xds, database.name()).await?;
        Ok(TestDatabase { server, database, admin_url, xds_url })
    }

    /// The login of the superuser: a test compares with it, and breaks things with it.
    pub fn superuser(&self) -> PgConnectOptions {
        self.server.superuser_of(self.database.name())
    }

    /// Drops it, ending the sessions that are still in it.
    pub async fn drop(self) -> Result<()> {
        self.server.drop_database(self.database.name()).await
    }
}

/// The server of the test run, or else one of this process.
pub async fn shared_server() -> Result<DatabaseServer> {
    if let Ok(url) = std::env::var(SERVER) {
        return DatabaseServer::from_url(&url);
    }
    let cluster = OWN_CLUSTER.get_or_try_init(|| new_cluster("shared")).await?;
    Ok(cluster.server())
}

/// Makes a migrated database on a server, for one test.
pub async fn fresh(server: &DatabaseServer) -> Result<Database> {
    let template = format!("template_{:016x}", fingerprint(&workspace_root().join("migrations"))?);
    let mut connection = server.connect().await?;
    if !exists(&mut connection, &template).await? {
        make_template(server, &template).await?;
    }
    let name = unique_name();
    create(&mut connection, &name, Some(&template)).await?;
    connection.close().await?;
    Ok(server.database(&name))
}

/// A name that no database of the server has had: roles are named after databases, and may outlive
/// them when a test is killed. Process ids come again, so the time is in it too.
fn unique_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("test_{}_{:x}_{next}", std::process::id(), now.as_millis())
}

async fn make_template(server: &DatabaseServer, name: &str) -> Result<()> {
    let mut connection = server.connect().await?;
    sqlx::query("SELECT pg_advisory_lock($1)").bind(TEMPLATE_LOCK).execute(&mut connection).await?;
    // Another process may have made it while this one waited.
    let made = match exists(&mut connection, name).await? {
        true => Ok(()),
        false => migrate_into(server, name).await,
    };
    // Closing the session releases the lock, also after a failure.
    connection.close().await?;
    made
}

async fn migrate_into(server: &DatabaseServer, name: &str) -> Result<()> {
    // Under another name until it is whole, so that a failed migration leaves no template behind.
    let draft = format!("{name}_draft");
    server.drop_database(&draft).await?;
    server.ensure_database(&draft, None).await?;
    let mut owner = server.database(&draft).connect().await?;
    let migrator = Migrator::new(workspace_root().join("migrations")).await?;
    migrator.run(&mut owner).await.context("migrating the template of the tests' databases")?;
    owner.close().await?;
    let mut connection = server.connect().await?;
    // A database is renamed when the last session in it has ended, which takes its process a
    // moment.
    let leave = "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = $1";
    sqlx::query(leave).bind(&draft).execute(&mut connection).await?;
    let rename = format!("ALTER DATABASE {draft} RENAME TO {name}");
    connection.execute(AssertSqlSafe(rename)).await?;
    connection.close().await?;
    Ok(())
}

/// Changes whenever a migration does.
fn fingerprint(migrations: &Path) -> Result<u64> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(migrations)?.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in
        files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "sql"))
    {
        file.file_name().hash(&mut hasher);
        fs::read(file)?.hash(&mut hasher);
    }
    Ok(hasher.finish())
}
