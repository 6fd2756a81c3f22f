//! `cargo xtask test`: everything built first, one PostgreSQL server for the run, then
//! `cargo test`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use stack::build::{self, Artifacts, Profile};
use stack::testing;
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use crate::{block_on, prerequisites};

pub(crate) fn run(args: &[OsString]) -> Result<ExitCode> {
    let envoy = prerequisites::ensure_wasm_target_and_envoy()?;
    prerequisites::ensure_pgtap(&prerequisites::ensure_postgres()?)?;
    let pgbouncer = prerequisites::ensure_pgbouncer()?;
    prerequisites::ensure_test_programs()?;
    let promtool = prerequisites::ensure_promtool()?;
    let python = prerequisites::ensure_python_tools()?;
    // First, because cargo may replace this program, whose age says whether a module has to be
    // finished again.
    let faulty = build::build_faulty_module()?;
    let artifacts = build::build(Profile::DevWithTests)?;
    block_on(async {
        let cluster = testing::new_cluster("test").await?;
        let programs = Programs { envoy, promtool, pgbouncer, python, faulty };
        let outcome = cargo_test(args, &cluster.server().url(), &programs, &artifacts).await;
        cluster.destroy().await?;
        outcome
    })
}

/// What tests start beside the programs of a deployment.
struct Programs {
    envoy: PathBuf,
    promtool: PathBuf,
    pgbouncer: PathBuf,
    /// The folder of Python programs.
    python: PathBuf,
    /// The module with faults on demand.
    faulty: PathBuf,
}

async fn cargo_test(
    args: &[OsString],
    database_url: &str,
    programs: &Programs,
    artifacts: &Artifacts,
) -> Result<ExitCode> {
    let mut cargo = Command::from(build::cargo());
    cargo.arg("test");
    // cargo lets --workspace win over a package that is named.
    let names_package = |arg: &OsString| {
        arg.to_str().is_some_and(|arg| arg.starts_with("-p") || arg.starts_with("--package"))
    };
    let before_dashes = args.iter().take_while(|arg| *arg != "--");
    if !before_dashes.into_iter().any(names_package) {
        cargo.arg("--workspace");
    }
    cargo
        .args(args)
        .env_remove("DATABASE_URL")
        .env("TENANTRY_TEST_DATABASE_URL", database_url)
        .env("TENANTRY_BIN_DIR", &artifacts.bin_dir)
        .env("TENANTRY_WASM", &artifacts.wasm)
        .env(build::FAULTY_MODULE, &programs.faulty)
        .env("PROMTOOL", &programs.promtool)
        .env("PGBOUNCER", &programs.pgbouncer)
        .env("TENANTRY_PYTHON_TOOLS", &programs.python)
        .env("ENVOY_BIN", &programs.envoy);
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut terminations = signal(SignalKind::terminate())?;
    let mut child = cargo.spawn().context("starting cargo")?;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status?,
            // The terminal has sent it to cargo too: wait for that, then stop the server.
            _ = interrupts.recv() => {}
            _ = terminations.recv() => child.start_kill()?,
        }
    };
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
