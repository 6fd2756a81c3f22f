//! The real program, with everything on that makes a job, in front of a real PostgreSQL.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use policy::id::Uuid;
use serde::Deserialize;
use serde_json::Value;
use stack::process::{Launch, Process};
use stack::testing::TestDatabase;
use store::tenant::NewTenant;
use store::{Actor, ActorKind, Store};
use tempfile::TempDir;

/// The time for anything that should happen.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// A database, and a folder for the files of programs.
pub(crate) struct Deployment {
    database: TestDatabase,
    store: Store,
    folder: TempDir,
}

impl Deployment {
    pub(crate) async fn start() -> Self {
        let database = TestDatabase::create().await.expect("a migrated database");
        let store = Store::connect(&database.admin_url, 2).await.expect("the admin role connects");
        let folder = tempfile::tempdir().expect("a folder");
        let names = vec!["xds.test".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        fs::write(folder.path().join("cert.pem"), made.cert.pem()).expect("a file");
        fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).expect("a file");
        Self { database, store, folder }
    }

    /// Starts the program, and waits until it is ready.
    pub(crate) async fn program(&self) -> Program {
        let path = |name: &str| self.folder.path().join(name);
        let number = fs::read_dir(self.folder.path()).expect("the folder").count();
        let (faults, log) = (path(&format!("faults-{number}")), path(&format!("log-{number}")));
        fs::create_dir(&faults).expect("a folder");
        let launch = Launch::new(env!("CARGO_BIN_EXE_tenantry-xds"), &log)
            .env("TENANTRY_DATABASE_URL", &self.database.xds_url)
            .env(service::jobs::faults::VARIABLE, faults.to_str().expect("a path"))
            .args(["serve", "--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"])
            .args(["--evict-after-s", "3600", "--validate-envoy", "/bin/true", "--state-dir"])
            .args([path("state")])
            .args(["--tls-cert".into(), path("cert.pem"), "--tls-key".into(), path("key.pem")])
            .args(["--tls-client-ca".into(), path("cert.pem")]);
        let process = launch.start().expect("the program starts");
        let mut program = Program { process, log, faults, http: String::new() };
        let listening = eventually("it listens", async || {
            let line = program.log();
            let line = line.lines().find(|line| line.contains("http_listen"))?;
            let line: Value = serde_json::from_str(line).expect("a line of JSON");
            line["http_listen"].as_str().map(ToOwned::to_owned)
        });
        program.http = format!("http://{}", listening.await);
        eventually("it is ready", async || program.readyz().await.ready.then_some(())).await;
        program
    }

    /// Makes a change that a program has to follow.
    pub(crate) async fn change(&self) {
        let actor = Actor {
            kind: ActorKind::Operator,
            id: Uuid::from_u128(7),
            request_id: "test".to_owned(),
            source: None,
            party: Default::default(),
            logged: Default::default(),
        };
        let mut tx = self.store.platform(&actor).await.expect("a transaction");
        let new = NewTenant {
            name: "Acme".to_owned(),
            slug: None,
            settings: Default::default(),
            platform_plan: None,
        };
        store::tenant::create(&mut tx, new).await.expect("a tenant");
        tx.commit().await.expect("a commit");
    }

    pub(crate) async fn end(self) {
        self.database.drop().await.expect("the database goes");
    }
}

/// A program that runs.
pub(crate) struct Program {
    process: Process,
    log: PathBuf,
    faults: PathBuf,
    http: String,
}

/// The body of `/readyz`.
pub(crate) struct Readiness {
    pub(crate) ready: bool,
    pub(crate) jobs: BTreeMap<String, JobState>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct JobState {
    job: String,
    pub(crate) phase: String,
    pub(crate) restarts: u64,
    pub(crate) failures: u64,
}

impl Program {
    /// Has a job end in this way.
    pub(crate) fn inject(&self, job: &str, fault: &str) {
        fs::write(self.faults.join(format!("{job}.{fault}")), "").expect("a file");
    }

    pub(crate) async fn readyz(&self) -> Readiness {
        let answer = reqwest::get(format!("{}/readyz", self.http)).await.expect("an answer");
        let status = answer.status();
        let body: Value = answer.json().await.expect("JSON");
        let jobs: Vec<JobState> = serde_json::from_value(body["jobs"].clone()).expect("the jobs");
        let ready = body["ready"] == true;
        assert_eq!(ready, status.is_success(), "{body}");
        Readiness { ready, jobs: jobs.into_iter().map(|job| (job.job.clone(), job)).collect() }
    }

    pub(crate) async fn metrics(&self) -> String {
        let answer = reqwest::get(format!("{}/metrics", self.http)).await.expect("an answer");
        answer.text().await.expect("text")
    }

    /// Waits until a job is in this phase. The program is ready all the time.
    pub(crate) async fn phase_of(&self, job: &str, phase: &str) -> JobState {
        eventually(&format!("{job} is {phase}"), async || {
            Some(self.job(job).await).filter(|job| job.phase == phase)
        })
        .await
    }

    /// Waits until a job was restarted so often, and sees that it did not run before. The program
    /// is ready all the time.
    pub(crate) async fn restarted(&self, job: &str, times: u64) {
        let waiting = self.phase_of(job, "restarting").await;
        assert_eq!((waiting.restarts, waiting.failures), (times - 1, times), "{job}");
        eventually(&format!("{job} is restarted"), async || {
            Some(self.job(job).await).filter(|job| job.phase == "running" && job.restarts == times)
        })
        .await;
    }

    async fn job(&self, job: &str) -> JobState {
        let readiness = self.readyz().await;
        assert!(readiness.ready, "the end of {job} does not make the program unready");
        readiness.jobs.get(job).unwrap_or_else(|| panic!("no job is called {job}")).clone()
    }

    /// Waits until everything that is served is on the disk.
    pub(crate) async fn stored(&self) {
        eventually("the state is stored", async || {
            let metrics = self.metrics().await;
            let value = |name: &str| {
                metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<i64>().ok())
            };
            (value("tenantry_xds_state_seq")? == value("tenantry_xds_last_seq")?).then_some(())
        })
        .await;
    }

    pub(crate) async fn stop(&self) -> ExitStatus {
        self.process.stop(PATIENCE).await.expect("it ends")
    }

    /// Waits until the program has ended by itself.
    pub(crate) async fn ended(&self) -> ExitStatus {
        tokio::time::timeout(PATIENCE, self.process.wait()).await.expect("it ends")
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        tokio::time::sleep(POLL).await;
    }
}
