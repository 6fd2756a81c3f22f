//! The database of `up`: the one of `DATABASE_URL`, or one on a private server under `.tenantry/`.

use std::env;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use stack::account::Account;
use stack::postgres::{Binaries, Cluster, ClusterSettings, Database};
use stack::secret;
use stack::service::Service;

use crate::up::home::Home;

const NAME: &str = "tenantry";

/// The parent of root's data directory, if PostgreSQL's account may not enter the checkout (one
/// under `/root`, say).
const ELSEWHERE: &str = "/var/lib/tenantry";

pub(super) fn from_env() -> Option<String> {
    env::var("DATABASE_URL").ok().filter(|url| !url.is_empty())
}

/// Starts the private server, and makes the database in it if it is not there.
pub(super) async fn start_private(
    home: &Home,
    binaries: &Binaries,
    addr: SocketAddr,
) -> Result<(Service, Database)> {
    let dir = data_dir(&home.postgres())?;
    // Beside the data that it opens, so that the two are only ever lost together.
    let password_file = dir.join("password");
    if !password_file.exists() {
        fs::create_dir_all(&dir)?;
        secret::write_private(&password_file, secret::password().as_bytes())?;
    }
    let password = fs::read_to_string(&password_file)
        .context("reading the password of the private PostgreSQL")?;
    let settings = ClusterSettings { dir, addr, password, durable: true };
    let cluster = Cluster::start(binaries, settings).await?;
    let server = cluster.server();
    server.make_roles().await?;
    server.ensure_database(NAME, None).await?;
    Ok((cluster.service, server.database(NAME)))
}

/// `usual`, or what a link there leads to: a folder elsewhere that PostgreSQL's account can enter.
/// With `.tenantry/` the link is removed, and the next `up` begins anew.
fn data_dir(usual: &Path) -> Result<PathBuf> {
    if let Ok(elsewhere) = fs::read_link(usual) {
        return Ok(elsewhere);
    }
    match Account::for_postgres()? {
        Some(account) if !account.can_reach(usual) => {
            let elsewhere = Path::new(ELSEWHERE).join(secret::password());
            eprintln!(
                "{} may not enter {}: PostgreSQL's data is in {}",
                account.name,
                usual.display(),
                elsewhere.display()
            );
            fs::create_dir_all(&elsewhere)?;
            symlink(&elsewhere, usual).with_context(|| format!("linking {}", usual.display()))?;
            Ok(elsewhere)
        }
        _ => Ok(usual.to_owned()),
    }
}
