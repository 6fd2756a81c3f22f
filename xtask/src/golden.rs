//! `cargo xtask golden`.

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use stack::{build, testing};

use crate::{block_on, prerequisites};

/// The tests that write what they compare with, when they are asked to: package, test, filter.
const GOLDEN: [(&str, &str, &str); 3] = [
    ("xds-server", "golden", ""),
    // The promises of `/v1`: only additions are written.
    ("admin", "openapi", "nothing_that_v1_promised_is_broken"),
    ("tenantry-store", "database", "grants::"),
];

pub(crate) fn run() -> Result<ExitCode> {
    prerequisites::ensure_postgres()?;
    block_on(async {
        let cluster = testing::new_cluster("golden").await?;
        let written = GOLDEN.iter().try_for_each(|golden| write(golden, &cluster.server().url()));
        cluster.destroy().await?;
        written
    })?;
    eprintln!("Review the change: git diff xds-server openapi crates/store");
    Ok(ExitCode::SUCCESS)
}

fn write((package, test, filter): &(&str, &str, &str), database_url: &str) -> Result<()> {
    let status = build::cargo()
        .args(["test", "--package", package, "--test", test, "--", filter])
        .env("UPDATE_GOLDEN", "1")
        .env("TENANTRY_TEST_DATABASE_URL", database_url)
        .status()
        .context("starting cargo")?;
    ensure!(status.success(), "the golden files of {package} could not be regenerated");
    Ok(())
}
