//! `cargo xtask sqlx`: has the query macros of `store` describe themselves against a freshly
//! migrated database.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::{Context, Result, ensure};
use sqlx::Connection;
use sqlx::migrate::Migrator;
use stack::postgres::DatabaseServer;
use stack::{build, testing, workspace_root};

use crate::prerequisites;
use crate::runtime::block_on;

pub(crate) fn run(check: bool) -> Result<ExitCode> {
    prerequisites::ensure_postgres()?;
    let fresh = block_on(async {
        let cluster = testing::new_cluster("sqlx").await?;
        let described = describe(&cluster.server()).await;
        cluster.destroy().await?;
        described
    })?;
    let committed_dir = workspace_root().join(".sqlx");
    let committed = if committed_dir.is_dir() { read(&committed_dir)? } else { BTreeMap::new() };
    if fresh == committed {
        eprintln!(".sqlx is up to date: {} queries", fresh.len());
        return Ok(ExitCode::SUCCESS);
    }
    ensure!(
        !check,
        ".sqlx is not what the queries and migrations say: run `cargo xtask sqlx` and commit the \
         result"
    );
    fs::create_dir_all(&committed_dir)?;
    for name in committed.keys().filter(|name| !fresh.contains_key(*name)) {
        fs::remove_file(committed_dir.join(name))?;
    }
    for (name, content) in &fresh {
        fs::write(committed_dir.join(name), content)?;
    }
    eprintln!(".sqlx holds {} queries now ({} before): commit it", fresh.len(), committed.len());
    Ok(ExitCode::SUCCESS)
}

/// The files that the macros write, by name.
async fn describe(server: &DatabaseServer) -> Result<BTreeMap<String, Vec<u8>>> {
    server.ensure_database("described", None).await?;
    let database = server.database("described");
    let mut owner = database.connect().await?;
    // Not with `tenantry-admin migrate`: it does not compile while a query is not described yet.
    Migrator::new(workspace_root().join("migrations"))
        .await?
        .run(&mut owner)
        .await
        .context("migrating")?;
    owner.close().await?;

    let dir = std::env::temp_dir().join(format!("tenantry-sqlx-data-{}", std::process::id()));
    fs::create_dir_all(&dir)?;
    let expanded = expand_macros(&database.owner_url(), &dir);
    let files = expanded.and_then(|()| read(&dir));
    fs::remove_dir_all(&dir)?;
    files
}

fn expand_macros(url: &str, dir: &Path) -> Result<()> {
    let library = workspace_root().join("crates/store/src/lib.rs");
    // cargo does not know that the macros read the environment: a newer file is what makes it
    // expand them again.
    let touch = || File::options().append(true).open(&library)?.set_modified(SystemTime::now());
    touch()?;
    let status = build::cargo()
        .args(["check", "--package", "tenantry-store", "--lib"])
        .env("SQLX_OFFLINE", "false")
        .env("DATABASE_URL", url)
        .env("SQLX_OFFLINE_DIR", dir)
        .status()
        .context("starting cargo")?;
    touch()?;
    ensure!(status.success(), "crates/store does not compile against the migrated database");
    Ok(())
}

fn read(dir: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("query-") && name.ends_with(".json") {
            files.insert(name, fs::read(entry.path())?);
        }
    }
    Ok(files)
}
