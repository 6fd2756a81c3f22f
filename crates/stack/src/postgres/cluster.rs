//! One server process and its data directory.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use nix::unistd::chown;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::account::Account;
use crate::postgres::{Binaries, DatabaseServer};
use crate::process::Launch;
use crate::secret;
use crate::service::{Ready, Service};

/// The role that `initdb` makes. It only prepares databases and roles; the product never logs in as
/// it, because row level security does not bind a superuser.
const SUPERUSER: &str = "postgres";

/// After `kill -9` of the server its backends hold the shared memory for a moment, and a new server
/// refuses to start.
const NOT_YET: &str = "pre-existing shared memory block";

#[derive(Debug, Clone)]
pub struct ClusterSettings {
    /// Holds `data/` and `server.log`. Made if absent.
    pub dir: PathBuf,
    pub addr: SocketAddr,
    /// The superuser's password; it takes effect when the data directory is made.
    pub password: String,
    /// `false` turns `fsync` off: a crash of the machine may destroy the data, a crash of the
    /// server does not.
    pub durable: bool,
}

#[derive(Debug)]
pub struct Cluster {
    settings: ClusterSettings,
    pub service: Service,
}

impl Cluster {
    /// Makes the data directory if there is none, and starts the server.
    pub async fn start(binaries: &Binaries, settings: ClusterSettings) -> Result<Cluster> {
        let account = Account::for_postgres()?;
        if let Some(account) = &account {
            ensure!(
                account.can_reach(&settings.dir),
                "PostgreSQL has to run as {}, which may not enter {}",
                account.name,
                settings.dir.display()
            );
        }
        Account::own_dir(account.as_ref(), &settings.dir)?;
        let data = settings.dir.join("data");
        if !data.join("PG_VERSION").exists() {
            init(binaries, account.as_ref(), &settings).await?;
        }
        let on_disk = fs::read_to_string(data.join("PG_VERSION")).unwrap_or_default();
        ensure!(
            on_disk.trim() == binaries.major.to_string(),
            "the data in {} is of PostgreSQL {}, the installed programs are of {}: install that \
             release, or move the directory away",
            data.display(),
            on_disk.trim(),
            binaries.major
        );
        let service = server(binaries, account, &settings);
        let mut cluster = Cluster { settings, service };
        cluster.service.start().await?;
        Ok(cluster)
    }

    /// The server as its superuser.
    pub fn server(&self) -> DatabaseServer {
        DatabaseServer::new(superuser(&self.settings), self.settings.password.clone())
    }

    /// Stops the server and removes its data.
    pub async fn destroy(mut self) -> Result<()> {
        self.service.stop().await?;
        let dir = &self.settings.dir;
        fs::remove_dir_all(dir).with_context(|| format!("removing {}", dir.display()))
    }

    /// Starts it again after [`Service::kill`] or [`Service::stop`], on the same port and data.
    pub async fn restart(&mut self) -> Result<()> {
        self.service.start().await
    }
}

async fn init(
    binaries: &Binaries,
    account: Option<&Account>,
    settings: &ClusterSettings,
) -> Result<()> {
    let data = settings.dir.join("data");
    if data.exists() {
        // An earlier initdb did not come to its end: it writes PG_VERSION early, but leaves nothing
        // of use behind.
        fs::remove_dir_all(&data).with_context(|| format!("removing {}", data.display()))?;
    }
    let password_file = settings.dir.join("initdb-password");
    secret::write_private(&password_file, settings.password.as_bytes())?;
    if let Some(account) = account {
        chown(&password_file, Some(account.uid), Some(account.gid))?;
    }
    let mut launch =
        Launch::new(binaries.program("initdb"), settings.dir.join("initdb.log")).args([
            "--username",
            SUPERUSER,
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--no-locale",
            "--no-instructions",
        ]);
    launch = launch.args([flag("--pwfile=", &password_file), flag("--pgdata=", &data)]);
    if !settings.durable {
        launch = launch.args(["--no-sync"]);
    }
    launch.account = account.cloned();
    launch.dir = Some(settings.dir.clone());
    let result = launch.run().await;
    fs::remove_file(&password_file)?;
    if result.is_err() {
        let _ = fs::remove_dir_all(&data);
    }
    result.context("making the data directory of PostgreSQL")
}

fn server(binaries: &Binaries, account: Option<Account>, settings: &ClusterSettings) -> Service {
    let mut options = vec![
        format!("port={}", settings.addr.port()),
        format!("listen_addresses={}", settings.addr.ip()),
        // TCP only: a socket would need a directory with a short path, and a place in /tmp that
        // others can squat on.
        "unix_socket_directories=".to_owned(),
        "max_connections=200".to_owned(),
        // The time of a commit is what the revocation benchmark measures from.
        "track_commit_timestamp=on".to_owned(),
        "logging_collector=off".to_owned(),
        "log_timezone=UTC".to_owned(),
    ];
    if !settings.durable {
        options
            .extend(["fsync=off", "full_page_writes=off", "max_wal_size=4GB"].map(str::to_owned));
    }
    let mut launch = Launch::new(binaries.program("postgres"), settings.dir.join("server.log"))
        .args([OsString::from("-D"), settings.dir.join("data").into()]);
    for option in options {
        launch = launch.args(["-c".to_owned(), option]);
    }
    launch.account = account;
    launch.dir = Some(settings.dir.clone());
    // A "fast" shutdown: ends the sessions, then writes a checkpoint. SIGTERM would wait for every
    // client to leave.
    launch.end_signal = Signal::SIGINT;
    Service::new("PostgreSQL", launch, Ready::Postgres(Box::new(superuser(settings))))
        .that_may_say(NOT_YET)
}

fn superuser(settings: &ClusterSettings) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .host(&settings.addr.ip().to_string())
        .port(settings.addr.port())
        .username(SUPERUSER)
        .password(&settings.password)
        .database("postgres")
        .ssl_mode(PgSslMode::Disable)
}

fn flag(name: &str, path: &Path) -> OsString {
    let mut flag = OsString::from(name);
    flag.push(path);
    flag
}
