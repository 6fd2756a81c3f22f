//! `cargo xtask golden`.

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use stack::build;

pub(crate) fn run() -> Result<ExitCode> {
    let status = build::cargo()
        .args(["test", "--package", "xds-server", "--test", "golden"])
        .env("UPDATE_GOLDEN", "1")
        .status()
        .context("starting cargo")?;
    ensure!(status.success(), "the golden files could not be regenerated");
    eprintln!("Review the change: git diff xds-server");
    Ok(ExitCode::SUCCESS)
}
