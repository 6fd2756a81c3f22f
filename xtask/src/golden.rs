//! `cargo xtask golden`.

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use stack::build;
use stack::testing::{self, database};

use crate::prerequisites;
use crate::runtime::block_on;

/// The tests that write what they compare with, when they are asked to: test, filter.
const GOLDEN: [(&str, &str); 3] = [
    ("golden", ""),
    // The promises of `/v1`: only additions are written.
    ("openapi", ""),
    ("database", "grants::"),
];

pub(crate) fn run() -> Result<ExitCode> {
    prerequisites::ensure_postgres()?;
    block_on(async {
        let cluster = testing::new_cluster("golden").await?;
        let written = GOLDEN.iter().try_for_each(|golden| write(golden, &cluster.server().url()));
        cluster.destroy().await?;
        written
    })?;
    eprintln!("Review the change: git diff xds-server openapi crates/store docs");
    Ok(ExitCode::SUCCESS)
}

fn write((test, filter): &(&str, &str), database_url: &str) -> Result<()> {
    let status = build::cargo()
        // Without --package, for the reason in .cargo/config.toml.
        .args(["test", "--workspace", "--test", test, "--", filter])
        .env("UPDATE_GOLDEN", "1")
        .env(database::SERVER, database_url)
        .status()
        .context("starting cargo")?;
    ensure!(status.success(), "the golden files of the test {test} could not be regenerated");
    Ok(())
}
