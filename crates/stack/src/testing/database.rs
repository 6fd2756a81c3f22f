//! A migrated database for each test, quickly: the migrations run once into a template, and each
//! test gets a copy.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;
use sqlx::{Connection, Executor};
use tokio::sync::OnceCell;

use crate::build::Artifacts;
use crate::postgres::{Cluster, Database, DatabaseServer};
use crate::testing::new_cluster;
use crate::{control, workspace_root};

/// Any constant will do, as long as every test process takes the same: held while the template is
/// made.
const TEMPLATE_LOCK: i64 = 0x7465_6d70;

/// The server that this test process shares, if `cargo xtask test` has named none.
static OWN_CLUSTER: OnceCell<Cluster> = OnceCell::const_new();

/// `TENANTRY_TEST_DATABASE_URL` is a superuser's URL, set by `cargo xtask test`.
pub(super) async fn shared_server() -> Result<DatabaseServer> {
    if let Ok(url) = std::env::var("TENANTRY_TEST_DATABASE_URL") {
        return DatabaseServer::from_url(&url);
    }
    let cluster = OWN_CLUSTER.get_or_try_init(|| new_cluster("shared")).await?;
    Ok(cluster.server())
}

/// A fresh, migrated database.
pub(super) async fn fresh(
    server: &DatabaseServer,
    artifacts: &Artifacts,
    log: &Path,
) -> Result<Database> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let template = ensure_template(server, artifacts, log).await?;
    let name = format!("t{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    server.drop_database(&name).await?;
    server.ensure_database(&name, Some(&template)).await?;
    Ok(server.database(&name))
}

async fn ensure_template(
    server: &DatabaseServer,
    artifacts: &Artifacts,
    log: &Path,
) -> Result<String> {
    let name = format!("template_{:016x}", fingerprint(&workspace_root().join("migrations"))?);
    let mut connection = server.connect().await?;
    sqlx::query("SELECT pg_advisory_lock($1)").bind(TEMPLATE_LOCK).execute(&mut connection).await?;
    let made = make_template(server, &name, artifacts, log).await;
    // Closing the session releases the lock, also after a failure.
    connection.close().await?;
    made.map(|()| name)
}

async fn make_template(
    server: &DatabaseServer,
    name: &str,
    artifacts: &Artifacts,
    log: &Path,
) -> Result<()> {
    let draft = format!("{name}_draft");
    let mut connection = server.connect().await?;
    let exists: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
            .bind(name)
            .fetch_one(&mut connection)
            .await?;
    if !exists {
        // Under another name until it is whole, so that a failed migration leaves no template
        // behind.
        server.drop_database(&draft).await?;
        server.ensure_database(&draft, None).await?;
        control::migrate(artifacts, &server.database(&draft).owner_url(), log).await?;
        let rename = format!("ALTER DATABASE {draft} RENAME TO {name}");
        connection.execute(sqlx::AssertSqlSafe(rename)).await?;
    }
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
