//! `cargo xtask golden`.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use stack::workspace_root;

pub(crate) fn run() -> Result<ExitCode> {
    let status = Command::new("cargo")
        .args(["test", "--package", "xds-server", "golden"])
        .env("UPDATE_GOLDEN", "1")
        .current_dir(workspace_root())
        .status()
        .context("starting cargo")?;
    ensure!(status.success(), "the golden files could not be regenerated");
    eprintln!("Review the change: git diff xds-server");
    Ok(ExitCode::SUCCESS)
}
