//! The jobs of the real program: each is ended in turn, and probes and metrics tell.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use stack::ports;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::harness::{Api, with_api};

/// All jobs of a program that sends mail, in the order of their names.
const JOBS: [&str; 7] = [
    "deliver_mail",
    "erase_tenants",
    "metrics_upkeep",
    "note_audit_heads",
    "note_token_use",
    "prune",
    "read_acks",
];
const PATIENCE: Duration = Duration::from_secs(30);

/// The program, until it is dropped.
struct Program {
    address: SocketAddr,
    _child: Child,
}

impl Program {
    async fn start(api: &Api, folder: &Path) -> Self {
        let address = ports::free();
        let key = folder.join("key");
        std::fs::write(&key, "07".repeat(32)).unwrap();
        private(&key);
        let child = Command::new(env!("CARGO_BIN_EXE_tenantry-admin"))
            .arg("serve")
            .args(["--listen", &address.to_string()])
            .args(["--database-url", &api.login_url()])
            // Nothing listens there, and nothing is sent.
            .args(["--smtp-url", "smtp://127.0.0.1:1", "--mail-from", "no-reply@example.com"])
            .args([Path::new("--secrets-key-file"), &key])
            .env("TENANTRY_FAULTS", folder)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let program = Self { address, _child: child };
        program.until("the program is ready", async |program| program.get("/readyz").await).await;
        program
    }

    /// Gets the body of a good answer.
    async fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.address).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        head.starts_with("HTTP/1.1 200 OK").then(|| body.to_owned())
    }

    /// The lines of `/readyz` about jobs.
    async fn jobs(&self) -> Option<Vec<String>> {
        let body = self.get("/readyz").await?;
        Some(body.lines().skip(1).map(str::to_owned).collect())
    }

    /// Waits for the line of a job to say this.
    async fn job_says(&self, job: &str, words: &str) -> String {
        self.until(&format!("{job} is {words}"), async |program| {
            let lines = program.jobs().await?;
            let line = lines.into_iter().find(|line| line.split(' ').next() == Some(job))?;
            line.contains(words).then_some(line)
        })
        .await
    }

    /// The value of a metric of a job.
    async fn metric(&self, name: &str, job: &str) -> Option<f64> {
        let text = self.get("/metrics").await?;
        let start = format!("{name}{{job=\"{job}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&start))?.parse().ok()
    }

    async fn until<T>(&self, what: &str, condition: impl AsyncFn(&Self) -> Option<T>) -> T {
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            if let Some(found) = condition(self).await {
                return found;
            }
            assert!(tokio::time::Instant::now() < end, "{what}: not within {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The program refuses a key that others can read.
fn private(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[tokio::test]
async fn a_job_that_ends_is_started_again_and_probes_and_metrics_tell() {
    with_api(async |api| {
        let folder = tempfile::tempdir().unwrap();
        let program = Program::start(api, folder.path()).await;
        let lines = program.jobs().await.unwrap();
        let names: Vec<&str> = lines.iter().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(names, JOBS, "every job is ended in this test: add the new one");
        for (index, job) in JOBS.into_iter().enumerate() {
            assert_eq!(
                program.metric("tenantry_job_restarts_total", job).await,
                Some(0.0),
                "{job}"
            );
            let before = program.metric("tenantry_job_failures_total", job).await.unwrap();
            let kind = if index % 2 == 0 { "panic" } else { "end" };
            std::fs::write(folder.path().join(format!("{job}.{kind}")), "").unwrap();
            // The program still serves meanwhile.
            program.job_says(job, " restarting ").await;
            program.job_says(job, " restarts=1").await;
            program.job_says(job, " running ").await;
            assert_eq!(program.metric("tenantry_job_running", job).await, Some(1.0), "{job}");
            assert_eq!(
                program.metric("tenantry_job_restarts_total", job).await,
                Some(1.0),
                "{job}"
            );
            let after = program.metric("tenantry_job_failures_total", job).await.unwrap();
            assert!(after > before, "{job}: {after} failures, {before} before");
        }
        assert!(
            program.metric("tenantry_job_last_success_timestamp_seconds", "prune").await
                > Some(0.0)
        );
    })
    .await;
}
