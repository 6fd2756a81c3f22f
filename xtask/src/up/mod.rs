//! `cargo xtask up`: from a clone to a gateway that serves two demo tenants.

mod database;
mod demo;
mod deployment;
mod detach;
pub(crate) mod home;
mod ports;
mod screen;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use clap::Args;
use stack::build::{self, Artifacts, Profile};
use stack::postgres::Binaries;
use tokio::signal::unix::{SignalKind, signal};

use crate::prerequisites;
use crate::runtime::block_on;
use deployment::Deployment;
use home::Home;
use ports::Ports;
use screen::{Screen, UpJson};

/// The pause between two looks for a part that has died.
const WATCH: Duration = Duration::from_millis(200);

#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// Return when everything serves, and run on in the background until `cargo xtask down`
    #[arg(long)]
    detach: bool,
    /// Base of all ports: the gateway is at +80, the admin API at +90
    #[arg(long, default_value_t = 10_000)]
    port_base: u16,
    /// Build optimised programs, which takes longer
    #[arg(long)]
    release: bool,
    /// The background process of --detach
    #[arg(long, hide = true)]
    supervised: bool,
}

/// Programs and modules that are needed before anything can be started.
#[derive(Debug)]
struct Tools {
    artifacts: Artifacts,
    envoy: PathBuf,
    /// `None` when `DATABASE_URL` names the database.
    postgres: Option<Binaries>,
}

pub(crate) fn run(args: &UpArgs) -> Result<ExitCode> {
    let home = Home::open()?;
    let ports = Ports::new(args.port_base)?;
    if args.supervised {
        // A session of its own, so that closing the terminal does not reach it.
        nix::unistd::setsid()?;
        return block_on(supervise(&home, ports, Tools::get(None)?, true));
    }
    if let Some(holder) = home.running()? {
        bail!(home::already_running(&holder));
    }
    ports.ensure_free(database::from_env().is_none())?;
    let profile = if args.release { Profile::Release } else { Profile::Dev };
    let tools = Tools::get(Some(profile))?;
    if args.detach {
        return block_on(detach::run(&home, &ports, &tools, args.port_base));
    }
    block_on(supervise(&home, ports, tools, false))
}

impl Tools {
    /// Gets what is missing; builds, or takes what the process in the foreground or a test run has
    /// built.
    fn get(profile: Option<Profile>) -> Result<Tools> {
        let envoy = prerequisites::ensure_wasm_target_and_envoy()?;
        let postgres = match database::from_env() {
            Some(_) => None,
            None => Some(prerequisites::ensure_postgres()?),
        };
        let artifacts = match profile {
            Some(profile) if !Artifacts::are_given() => build::build(profile)?,
            _ => Artifacts::from_env()?,
        };
        Ok(Tools { artifacts, envoy, postgres })
    }
}

/// Starts everything, says so, and stays until it is told to stop or a part dies.
async fn supervise(home: &Home, ports: Ports, tools: Tools, detached: bool) -> Result<ExitCode> {
    let _lock = home.lock()?;
    ports.ensure_free(tools.postgres.is_some())?;
    let _ = fs::remove_file(home.up_json());
    let mut deployment = Deployment::new(home, ports, tools);
    let outcome = tokio::select! {
        outcome = serve(home, &mut deployment, detached) => outcome,
        name = end_signal() => name.map(|name| eprintln!("\n{name}: stopping")),
    };
    let _ = fs::remove_file(home.up_json());
    if let Err(error) = &outcome {
        // Before the rest is stopped, which takes a moment.
        eprintln!("error: {error:#}");
    }
    deployment.stop().await?;
    Ok(if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Ends only with an error: a part that could not start, or one that died.
async fn serve(home: &Home, deployment: &mut Deployment<'_>, detached: bool) -> Result<()> {
    let demo = deployment.start().await?;
    let up = UpJson::new(deployment, demo);
    stack::secret::write_private(&home.up_json(), &serde_json::to_vec_pretty(&up)?)?;
    if !detached {
        print!("{}", Screen { up: &up, ports: deployment.ports(), home, detached });
    }
    loop {
        if let Some(dead) = deployment.dead() {
            return Err(anyhow!("{dead}"));
        }
        tokio::time::sleep(WATCH).await;
    }
}

async fn end_signal() -> Result<&'static str> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(tokio::select! {
        _ = interrupt.recv() => "Interrupted",
        _ = terminate.recv() => "Asked to end",
        _ = hangup.recv() => "The terminal is gone",
    })
}
