//! Measures a request inside Envoy: Tenantry's full path beside an empty filter, Envoy's own
//! filters and call-outs.
//!
//! Every variant is an Envoy of its own with the same listener and connection manager, which are
//! those that xds-server sends, access log included. The same requests go to all of them, in
//! interleaved rounds; what counts is the CPU time that Linux has booked for the processes
//! meanwhile. Ours is fed by a real xds-server from a real PostgreSQL.

mod cpu;
mod deployment;
mod envoys;
mod filters;
mod inputs;
mod levers;
mod measure;
mod ours;
pub(crate) mod parts;
mod report;
mod started;
mod traffic;
mod variants;
mod zipf;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use stack::build::{self, Artifacts};
use stack::process::{Launch, Process};
use stack::{envoy, ports, workspace_root};
use tokio::net::TcpStream;

use super::figures::write_json;
use super::seed::Scale;
use super::tokens;
use crate::prerequisites;
use deployment::Deployment;
use envoys::{Place, Sent};
use measure::{Bench, Pace};
use parts::Part;
use report::Report;
use traffic::Wrk;

#[derive(Debug, Clone, Args)]
pub(crate) struct DataPlane {
    /// Use fewer and shorter rounds with one worker, and a tenth of the sites and keys, for a first
    /// impression
    #[arg(long)]
    quick: bool,
    /// Compare ways to build the module, instead of ways to do the work
    #[arg(long)]
    levers: bool,
    /// Number of sites of the larger deployment [default: 10000; 1000 with --quick]
    #[arg(long)]
    sites: Option<usize>,
    /// Number of keys of all sites together [default: 1000000; 100000 with --quick]
    #[arg(long)]
    keys: Option<usize>,
}

impl DataPlane {
    fn scale(&self) -> Scale {
        let (sites, keys) = if self.quick { (1_000, 100_000) } else { (10_000, 1_000_000) };
        Scale { sites: self.sites.unwrap_or(sites), keys: self.keys.unwrap_or(keys) }
    }
}

/// The arguments that the program that has built everything passes to the one that measures.
#[derive(Debug, Clone, Args)]
pub(crate) struct Measure {
    #[command(flatten)]
    what: DataPlane,
    /// The module of a filter that does nothing
    #[arg(long)]
    empty_module: PathBuf,
}

/// Builds this program in release too, for what it does itself is measured, and has that one go on.
pub(super) fn build_and_measure(what: &DataPlane, artifacts: &Artifacts) -> Result<ExitCode> {
    prerequisites::ensure_test_programs()?;
    let tools = build::build_bench()?;
    let mut measure = Command::new(&tools.xtask);
    measure.arg("bench-measure").arg("--empty-module").arg(&tools.empty_module);
    measure.args(what.quick.then_some("--quick")).args(what.levers.then_some("--levers"));
    let Scale { sites, keys } = what.scale();
    measure.args(["--sites", &sites.to_string(), "--keys", &keys.to_string()]);
    measure.env("TENANTRY_BIN_DIR", &artifacts.bin_dir).env("TENANTRY_WASM", &artifacts.wasm);
    let status = measure.status().with_context(|| format!("starting {}", tools.xtask.display()))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Measures, with what has been built.
pub(crate) async fn measure(measure: &Measure) -> Result<()> {
    let artifacts = Artifacts::from_env()?;
    let folder = build::target_dir().join("bench/data-plane");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let place = Place {
        envoy: envoy::ensure_installed(&workspace_root().join(".tenantry/tools"))?,
        folder: folder.clone(),
        upstream: ports::free(),
        callouts: ports::free(),
    };
    let upstream = start_part(&Part::Upstream { listen: place.upstream }, &folder).await?;
    let callouts = start_part(&Part::Callouts { listen: place.callouts }, &folder).await?;
    let wrk = Wrk::new(&folder)?;
    let bench = Bench { wrk: &wrk, upstream: upstream.pid().as_raw() };
    let tokens = tokens::make(inputs::TOKENS)?;
    let small =
        Deployment::start("bench-small", &artifacts, deployment::SMALL, place.upstream, &tokens)
            .await?;
    let sent = sent_to_an_envoy(&place, &small, &artifacts).await?;
    if measure.what.levers {
        let report = levers::measure(&bench, &place, &sent, &small, pace(&measure.what, 1)).await?;
        small.finish().await?;
        report.print();
        return write_json("data-plane-levers", &report);
    }
    let scale = measure.what.scale();
    let big = Deployment::start("bench-big", &artifacts, scale, place.upstream, &tokens).await?;
    let inputs = inputs::Inputs {
        place: &place,
        sent: &sent,
        big: &big,
        small: &small,
        tokens: &tokens,
        module: &artifacts.wasm,
        empty_module: &measure.empty_module,
        callouts: callouts.pid().as_raw(),
    };
    let mut series = Vec::new();
    let concurrencies: &[u32] = if measure.what.quick { &[1] } else { &[1, 2] };
    for &concurrency in concurrencies {
        let variants = variants::start(&inputs, concurrency).await?;
        series.extend(
            bench.rounds(&variants.targets, concurrency, pace(&measure.what, concurrency)).await?,
        );
        variants.stop().await?;
    }
    big.finish().await?;
    small.finish().await?;
    let report = Report::of(variants::notes(scale), series);
    report.print();
    write_json("data-plane", &report)
}

/// Whole seconds: `wrk` counts in them. One worker is what the bars are about.
fn pace(what: &DataPlane, concurrency: u32) -> Pace {
    let (rounds, each, warm_up) = match (what.quick, concurrency) {
        (true, _) => (2, 1, 1),
        (false, 1) => (7, 2, 2),
        (false, _) => (3, 2, 2),
    };
    Pace { rounds, each: Duration::from_secs(each), warm_up: Duration::from_secs(warm_up) }
}

/// Returns what xds-server sends to an Envoy that has served a request.
async fn sent_to_an_envoy(
    place: &Place,
    deployment: &Deployment,
    artifacts: &Artifacts,
) -> Result<Sent> {
    let mut ours = place.start_ours(None, "probe", deployment.xds(), &artifacts.wasm, 1).await?;
    Deployment::wait_until_served(ours.envoy.settings.gateway, &deployment.one_for_each_site(1))
        .await?;
    let sent = Sent::to(&ours.envoy).await?;
    ours.envoy.service.stop().await?;
    Ok(sent)
}

/// Starts this program as one of the parts, and waits until it listens.
async fn start_part(part: &Part, folder: &Path) -> Result<Process> {
    let (Part::Upstream { listen } | Part::Callouts { listen }) = part;
    let log = folder.join(format!("part-{}.log", listen.port()));
    let process = Launch::new(std::env::current_exe()?, log).args(part.args()).start()?;
    for _ in 0..500 {
        if TcpStream::connect(listen).await.is_ok() {
            return Ok(process);
        }
        ensure!(
            process.exited().is_none(),
            "{part:?} has ended: {}",
            stack::process::tail(process.log())
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    anyhow::bail!("{part:?} does not listen")
}
