//! The program: flags, the log, and the commands.

#![cfg_attr(not(test), deny(clippy::unwrap_used))]

mod serve;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser as _;

use store::seal::SecretsKey;
use xds_server::commands::check::{self, Check};
use xds_server::commands::render::{self, Render};
use xds_server::commands::{Database, bootstrap};
use xds_server::config::{Cli, Command};

/// The longest time for the export of the last spans.
const TRACES_GRACE: Duration = Duration::from_secs(2);

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    let traces = service::logging::install(&cli.log.log, "tenantry-xds")?;
    let outcome = run(cli.command).await;
    traces.shut_down(TRACES_GRACE).await;
    outcome
}

async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(config) => serve::run(config).await.map(|()| ExitCode::SUCCESS),
        Command::Bootstrap(flags) => {
            print!("{}", bootstrap::run(&flags)?);
            Ok(ExitCode::SUCCESS)
        }
        Command::Check(config) => check(&config).await,
        Command::Render(config) => render(&config).await,
    }
}

/// Prints; ends with 1 if something is wrong.
async fn check(config: &Check) -> anyhow::Result<ExitCode> {
    let key = secrets_key_of(&config.database)?;
    let findings = check::run(config, key).await;
    findings.iter().for_each(|finding| println!("{finding}"));
    Ok(if findings.iter().all(|finding| finding.good) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn secrets_key_of(database: &Database) -> anyhow::Result<Option<SecretsKey>> {
    database
        .secrets_key_file
        .as_deref()
        .map(SecretsKey::read)
        .transpose()
        .context("--secrets-key-file")
}

/// Prints; ends with 2 if something of the site cannot be served as it is.
async fn render(config: &Render) -> anyhow::Result<ExitCode> {
    let rendered = render::run(config, secrets_key_of(&config.database)?).await?;
    print!("{}", rendered.yaml);
    Ok(if rendered.complete { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
