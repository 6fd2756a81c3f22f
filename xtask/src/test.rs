//! `cargo xtask test`: everything built first, one PostgreSQL server for the run, then
//! cargo-nextest, which runs each test in a process of its own (`.config/nextest.toml`).

mod args;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use stack::build::{self, Artifacts, Profile};
use stack::testing::{self, database};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use crate::prerequisites;
use crate::runtime::block_on;

pub(crate) fn run(args: &[OsString]) -> Result<ExitCode> {
    Ok(if passed(args)? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs every test; answers whether all have passed.
pub(crate) fn run_all() -> Result<bool> {
    passed(&[])
}

fn passed(args: &[OsString]) -> Result<bool> {
    let programs = Programs::get()?;
    // In a target folder of its own, so beside the rest.
    let faulty = thread::spawn(build::build_faulty_module);
    let artifacts = build::build(Profile::DevWithTests)?;
    let faulty =
        faulty.join().map_err(|_| anyhow!("the build of the faulty module panicked"))??;
    block_on(async {
        let cluster = testing::new_cluster("test").await?;
        let tests = TestRun { server: cluster.server().url(), programs, artifacts, faulty };
        let outcome = tests.run(args).await;
        cluster.destroy().await?;
        outcome
    })
}

/// The programs that tests start beside those of a deployment, and the one that runs the tests.
#[derive(Debug)]
pub(crate) struct Programs {
    nextest: PathBuf,
    envoy: PathBuf,
    promtool: PathBuf,
    pgbouncer: PathBuf,
    /// The folder of Python programs.
    python: PathBuf,
}

impl Programs {
    /// Finds them, and installs those that are missing.
    pub(crate) fn get() -> Result<Programs> {
        let envoy = prerequisites::ensure_wasm_target_and_envoy()?;
        prerequisites::ensure_pgtap(&prerequisites::ensure_postgres()?)?;
        let pgbouncer = prerequisites::ensure_pgbouncer()?;
        prerequisites::ensure_test_programs()?;
        let promtool = prerequisites::ensure_promtool()?;
        let python = prerequisites::ensure_python_tools()?;
        let nextest = prerequisites::ensure_nextest()?;
        Ok(Programs { nextest, envoy, promtool, pgbouncer, python })
    }
}

struct TestRun {
    /// The URL of the server's superuser.
    server: String,
    programs: Programs,
    artifacts: Artifacts,
    /// The module with faults on demand.
    faulty: PathBuf,
}

impl TestRun {
    /// Runs the tests that `args` select; without arguments all of them, and those in the
    /// documentation.
    async fn run(&self, args: &[OsString]) -> Result<bool> {
        let mut nextest = Command::from(build::cargo_program(&self.programs.nextest));
        nextest.args(["nextest", "run"]).args(args::for_nextest(args));
        let passed = self.run_to_end(nextest).await?;
        if !args.is_empty() {
            return Ok(passed);
        }
        let mut doctests = Command::from(build::cargo());
        doctests.args(["test", "--workspace", "--doc"]);
        Ok(self.run_to_end(doctests).await? && passed)
    }

    async fn run_to_end(&self, mut command: Command) -> Result<bool> {
        command
            .env_remove("DATABASE_URL")
            .env(database::SERVER, &self.server)
            .env("TENANTRY_BIN_DIR", &self.artifacts.bin_dir)
            .env("TENANTRY_WASM", &self.artifacts.wasm)
            .env(build::FAULTY_MODULE, &self.faulty)
            .env("PROMTOOL", &self.programs.promtool)
            .env("PGBOUNCER", &self.programs.pgbouncer)
            .env("TENANTRY_PYTHON_TOOLS", &self.programs.python)
            .env("ENVOY_BIN", &self.programs.envoy);
        let mut interrupts = signal(SignalKind::interrupt())?;
        let mut terminations = signal(SignalKind::terminate())?;
        let mut child = command.spawn().context("starting the tests")?;
        let mut stopped = false;
        let status = loop {
            tokio::select! {
                status = child.wait() => break status?,
                // The terminal has sent it to the tests too: wait for them, then stop the server.
                _ = interrupts.recv() => stopped = true,
                // The runner ends its tests, and their servers with them.
                _ = terminations.recv() => {
                    stopped = true;
                    if let Some(pid) = child.id() {
                        kill(Pid::from_raw(i32::try_from(pid)?), Signal::SIGTERM)?;
                    }
                }
            }
        };
        ensure!(!stopped, "the tests were stopped before their end");
        Ok(status.success())
    }
}
