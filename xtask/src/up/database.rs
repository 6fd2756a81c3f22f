//! The database of `up`: the one of `DATABASE_URL`, or one on a private server under `.tenantry/`.

use std::env;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use stack::account::Account;
use stack::postgres::{Binaries, Cluster, ClusterSettings, Database};
use stack::secret;
use stack::service::Service;

use crate::up::home::Home;

const NAME: &str = "tenantry";

/// Where root keeps the data directory when PostgreSQL's account may not enter the checkout (one under `/root`, say).
const ELSEWHERE: &str = "/var/lib/tenantry";

pub(super) fn from_env() -> Option<String> {
    env::var("DATABASE_URL").ok().filter(|url| !url.is_empty())
}

/// Starts the private server, and makes the database in it if it is not there.
pub(super) async fn start_private(home: &Home, binaries: &Binaries, addr: SocketAddr) -> Result<(Service, Database)> {
    let password_file = home.postgres_password();
    if !password_file.exists() {
        secret::write_private(&password_file, secret::password().as_bytes())?;
    }
    let password = fs::read_to_string(&password_file).context("reading the password of the private PostgreSQL")?;
    let settings = ClusterSettings { dir: data_dir(home)?, addr, password, durable: true };
    let cluster = Cluster::start(binaries, settings).await?;
    let server = cluster.server();
    server.ensure_database(NAME, None).await?;
    Ok((cluster.service, server.database(NAME)))
}

fn data_dir(home: &Home) -> Result<PathBuf> {
    let usual = home.postgres();
    let Some(account) = Account::for_postgres()? else { return Ok(usual) };
    if account.can_reach(&usual) {
        return Ok(usual);
    }
    let mut hasher = DefaultHasher::new();
    usual.hash(&mut hasher);
    let dir = PathBuf::from(ELSEWHERE).join(format!("{:016x}", hasher.finish()));
    eprintln!("{} may not enter {}: PostgreSQL's data is in {}", account.name, usual.display(), dir.display());
    Ok(dir)
}
