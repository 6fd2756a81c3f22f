//! A pgbouncer for a single test, in transaction mode, on loopback.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use uuid::Uuid;

/// The number of starts, since another program may have taken the port meanwhile.
const ATTEMPTS: u32 = 10;
/// The time that it may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running pooler. It is stopped by its own process id, at the latest when it is dropped.
#[derive(Debug)]
pub(crate) struct PgBouncer {
    /// The database, through the pooler.
    pub(crate) url: String,
    process: Child,
    dir: PathBuf,
}

impl PgBouncer {
    /// Starts one in front of the database of this URL, with this number of connections to it.
    pub(crate) async fn start(database_url: &str, connections: u32) -> Self {
        let mut log = String::new();
        for _ in 0..ATTEMPTS {
            let mut pooler = Self::launch(database_url, connections);
            if pooler.answers().await {
                return pooler;
            }
            log = pooler.log();
        }
        panic!("pgbouncer ends whenever it is started: {log}");
    }

    fn launch(database_url: &str, connections: u32) -> Self {
        let options: PgConnectOptions = database_url.parse().expect("it is a PostgreSQL URL");
        let (user, database) = (
            options.get_username().to_owned(),
            options.get_database().unwrap_or_default().to_owned(),
        );
        let dir = std::env::temp_dir().join(format!("tenantry-pgbouncer-{}", Uuid::now_v7()));
        std::fs::create_dir(&dir).expect("a directory for the pooler");
        // The port was free a moment ago. An outgoing connection may get it before the pooler does.
        let addr: SocketAddr = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a port");
        // The fixture gives each role the database's name as its password.
        let config = format!(
            "[databases]\n{database} = host={host} port={port} dbname={database} user={user} \
             password={database}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {listen}\n\
             unix_socket_dir =\nauth_type = any\n\
             pool_mode = transaction\ndefault_pool_size = {connections}\nmax_client_conn = 500\n\
             ignore_startup_parameters = extra_float_digits\nquery_wait_timeout = 30\n",
            host = options.get_host(),
            port = options.get_port(),
            listen = addr.port(),
        );
        let file = dir.join("pgbouncer.ini");
        std::fs::write(&file, config).expect("the configuration is written");
        let program = std::env::var_os("PGBOUNCER").unwrap_or_else(|| "pgbouncer".into());
        let log = std::fs::File::create(dir.join("log")).expect("a log");
        let mut command = Command::new(program);
        command.arg(&file).stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log);
        if let Some(account) = unprivileged() {
            // It refuses to run as root.
            std::os::unix::fs::chown(&dir, Some(account), None)
                .expect("the directory changes its owner");
            command.uid(account);
        }
        let process = command.spawn().expect(
            "pgbouncer starts: `cargo xtask test` gets it, and says where it is by PGBOUNCER",
        );
        let url = options.host("127.0.0.1").port(addr.port()).to_url_lossy().to_string();
        Self { url, process, dir }
    }

    /// Waits until it answers; false if it has ended.
    async fn answers(&mut self) -> bool {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Ok(connection) = PgConnection::connect(&self.url).await {
                let _ = connection.close().await;
                return true;
            }
            if let Ok(Some(_)) = self.process.try_wait() {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("pgbouncer does not answer: {}", self.log());
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    pub(crate) fn stop(self) {
        drop(self);
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// The number of the account `nobody`, if this is root's process.
fn unprivileged() -> Option<u32> {
    use std::os::unix::fs::MetadataExt as _;
    let root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let nobody = accounts
        .lines()
        .find_map(|line| line.strip_prefix("nobody:")?.split(':').nth(1)?.parse().ok());
    nobody.filter(|_| root)
}
