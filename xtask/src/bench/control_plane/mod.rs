//! Measures the control plane by the number of tenants: the time from the commit of a change to its
//! effect on two Envoys, the CPU and the bytes of a change, and a cold start.
//!
//! For each number of sites there is a deployment of its own, from nothing: a PostgreSQL that is
//! filled by SQL, then xds-server and two Envoys, all started at once. Edits go through the admin
//! API, ten a second, on sites that both Envoys have loaded. When an edit has its effect is seen by
//! asking each Envoy over and over.

mod cold_start;
mod edit;
mod meter;
mod report;
mod schedule;
mod world;

use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use stack::build::{self, Artifacts};

use super::figures::write_json;
use super::seed::Scale;
use meter::Meter;
use report::{Report, Run};
use world::World;

#[derive(Debug, Clone, Args)]
pub(crate) struct ControlPlane {
    /// Use fewer sites and shorter runs, for a first impression
    #[arg(long)]
    quick: bool,
    /// Numbers of sites, each in a deployment of its own; 100000 runs the mode for very many
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1_000, 10_000])]
    sites: Vec<usize>,
    /// Number of sites that both Envoys have loaded, and that are edited
    #[arg(long, default_value_t = 1_000)]
    active: usize,
    /// Seconds of edits, with ten edits in each second
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

/// Each site has this many keys, as long as all together have not more than the most.
const KEYS_PER_SITE: usize = 100;
const MOST_KEYS: usize = 1_000_000;

impl ControlPlane {
    /// Returns the numbers of sites and the duration, with `--quick` applied.
    fn sizes(&self) -> (Vec<usize>, Duration) {
        if self.quick {
            (vec![100, 1_000], Duration::from_secs(10))
        } else {
            (self.sites.clone(), Duration::from_secs(self.seconds))
        }
    }
}

/// Builds this program in release too, for the time that it takes to ask is part of what is
/// measured, and has that one go on.
pub(super) fn build_and_measure(what: &ControlPlane, artifacts: &Artifacts) -> Result<ExitCode> {
    let xtask = build::build_release_xtask()?;
    let sites: Vec<String> = what.sites.iter().map(ToString::to_string).collect();
    let mut measure = Command::new(&xtask);
    measure
        .arg("bench-control-plane")
        .args(what.quick.then_some("--quick"))
        .args(["--sites", &sites.join(",")]);
    measure.args(["--active", &what.active.to_string(), "--seconds", &what.seconds.to_string()]);
    measure.env("TENANTRY_BIN_DIR", &artifacts.bin_dir).env("TENANTRY_WASM", &artifacts.wasm);
    let status = measure.status().with_context(|| format!("starting {}", xtask.display()))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Measures, with what has been built.
pub(crate) async fn measure(what: &ControlPlane) -> Result<()> {
    let artifacts = Artifacts::from_env()?;
    let (sizes, duration) = what.sizes();
    let mut runs = Vec::new();
    for sites in sizes {
        let scale = Scale { sites, keys: (sites * KEYS_PER_SITE).min(MOST_KEYS) };
        runs.push(one(&artifacts, scale, what.active.min(sites), duration).await?);
    }
    let report = Report::of(runs)?;
    report.print();
    write_json("control-plane", &report)
}

/// One deployment, from its start to its end.
async fn one(
    artifacts: &Artifacts,
    scale: Scale,
    active: usize,
    duration: Duration,
) -> Result<Run> {
    let mut world = World::prepare(artifacts, scale, active).await?;
    let cold_start = cold_start::measure(&mut world).await?;
    progress(scale, &cold_start.to_string());
    world.load_active_sites().await?;
    let loaded = world.memory()?;
    progress(scale, &format!("{active} sites are loaded by both Envoys; RSS: {loaded}"));
    // The idle cost is subtracted from the cost of the changes.
    let idle = Meter::over(&world, tokio::time::sleep(duration / 4)).await?;
    let edits = Meter::over(&world, schedule::run(&world, duration)).await?;
    let after = world.memory()?;
    let costs = [idle.cost, edits.cost];
    let run = Run::of(scale, active, cold_start, [loaded, after], costs, &edits.outcome?)?;
    progress(scale, &run.to_string());
    world.finish().await?;
    Ok(run)
}

fn progress(scale: Scale, text: &str) {
    eprintln!("{} sites: {text}", scale.sites);
}
