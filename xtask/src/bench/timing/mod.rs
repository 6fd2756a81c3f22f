//! Looks for differences in the time of refusals. Of each pair of requests that are answered alike,
//! many are sent one after the other, in a random order, to the real services; Welch's t-test
//! decides if they can be told apart.
//!
//! A figure here is no guarantee: it says what somebody beside the services, without a network
//! between, does not find in so many requests. A pair that differs by its work shows each time that
//! the bench would have found something.

mod pairs;
mod sample;
mod welch;
mod world;

use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use clap::Args;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use reqwest::Client;
use serde::Serialize;
use stack::Stack;
use stack::build::{self, Artifacts};
use stack::echo::Echo;

use self::sample::{Expected, Pair, Samples};
use self::welch::{CROPS, Difference, THRESHOLD};
use super::figures::{machine, write_json};
use super::start;

#[derive(Debug, Clone, Args)]
pub(crate) struct Timing {
    /// Send a tenth of the requests, for a first impression
    #[arg(long)]
    quick: bool,
}

/// The result of one pair.
#[derive(Debug, Serialize)]
struct Line {
    title: &'static str,
    first: &'static str,
    second: &'static str,
    /// Of each.
    requests: usize,
    first_mean_us: f64,
    /// The second less the first, where the crop shows the most.
    difference: Difference,
    /// |t| after a quarter and a half of the requests: a difference that is there grows.
    t_of_a_quarter: f64,
    t_of_a_half: f64,
    found: bool,
    /// True if it is as expected.
    met: bool,
}

#[derive(Debug, Serialize)]
struct Figures {
    machine: String,
    threshold: f64,
    crops: [f64; CROPS.len()],
    lines: Vec<Line>,
}

/// Builds this program in release too, and has that one go on.
pub(super) fn build_and_measure(what: &Timing, artifacts: &Artifacts) -> Result<ExitCode> {
    let xtask = build::build_release_xtask()?;
    let mut measure = Command::new(&xtask);
    measure.arg("bench-timing").args(what.quick.then_some("--quick"));
    measure.env("TENANTRY_BIN_DIR", &artifacts.bin_dir).env("TENANTRY_WASM", &artifacts.wasm);
    let status = measure.status().with_context(|| format!("starting {}", xtask.display()))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Measures, with what has been built.
///
/// # Errors
/// A pair that differs is not told apart, or the same request twice is: then the bench shows
/// nothing.
pub(crate) async fn measure(what: &Timing) -> Result<()> {
    let artifacts = Artifacts::from_env()?;
    let builder = Stack::builder("bench-timing").artifacts(&artifacts).own_postgres();
    let builder = builder.envoys(1).concurrency(1).without_xds_and_envoys();
    // Requests say themselves where they come from; letters have somewhere to go, and nobody takes
    // them.
    let builder = builder.admin_env("TENANTRY_TRUSTED_PROXIES", "127.0.0.0/8");
    let builder = builder
        .admin_env("TENANTRY_SMTP_URL", "smtp://127.0.0.1:9")
        .admin_env("TENANTRY_MAIL_FROM", "a@bench.test");
    let mut stack = builder.start().await?;
    let upstream = Echo::start("shop", stack::ports::loopback(0))?;
    let world = world::fill(&stack, upstream.addr).await?;
    start::everything_else(&mut stack).await?;
    let client = Client::builder().no_proxy().pool_max_idle_per_host(1).build()?;
    let mut random = StdRng::seed_from_u64(0x0077_656c_6368);
    let mut lines = Vec::new();
    for pair in pairs::all(&stack, &client, &world) {
        let count = if what.quick { pair.count / 10 } else { pair.count };
        let samples = sample::run(&client, &pair, count, &mut random).await?;
        let line = Line::of(&pair, &samples).context("too few requests")?;
        eprintln!("{}: |t| {:.1}", line.title, line.difference.t.abs());
        lines.push(line);
    }
    // An Envoy that starts before xds-server complains that it is not there.
    stack.allow_in_envoy_log("DeltaAggregatedResources gRPC config stream");
    stack.allow_in_envoy_log("no stream to cluster xds");
    stack.finish().await?;
    let figures = Figures { machine: machine()?, threshold: THRESHOLD, crops: CROPS, lines };
    figures.print();
    write_json("timing", &figures)?;
    let blind = figures.lines.iter().find(|line| !line.met && line.title.starts_with("control"));
    ensure!(blind.is_none(), "the bench shows nothing: {blind:?}");
    Ok(())
}

impl Line {
    fn of(pair: &Pair, samples: &Samples) -> Option<Self> {
        let Samples { first, second } = samples;
        let part = |of: usize| {
            let (first, second) =
                (first.get(..first.len() / of)?, second.get(..second.len() / of)?);
            Difference::largest(first, second)
        };
        let difference = part(1)?;
        Some(Self {
            title: pair.title,
            first: pair.first.name,
            second: pair.second.name,
            requests: first.len(),
            first_mean_us: first.iter().sum::<f64>() / first.len() as f64,
            difference,
            t_of_a_quarter: part(4)?.t.abs(),
            t_of_a_half: part(2)?.t.abs(),
            found: difference.is_found(),
            met: difference.is_found() == (pair.expected == Expected::Different),
        })
    }
}

impl Figures {
    fn print(&self) {
        println!(
            "{}; times in microseconds; a difference is one from |t| {} on",
            self.machine, self.threshold
        );
        println!(
            "{:<34} {:<44} {:>8} {:>9} {:>9} {:>21} {:>7} {:>6} {:>6} {:>6}",
            "", "", "of each", "mean", "differ by", "95 %", "d", "|t| 1/4", "1/2", "all"
        );
        for line in &self.lines {
            let Difference { mean_us, low_us, high_us, effect, t, .. } = line.difference;
            println!(
                "{:<34} {:<44} {:>8} {:>9.1} {:>9.2} {:>21} {:>7.3} {:>7.1} {:>6.1} {:>6.1}",
                line.title,
                format!("{}, {}", line.first, line.second),
                line.requests,
                line.first_mean_us,
                mean_us,
                format!("{low_us:.2} to {high_us:.2}"),
                effect,
                line.t_of_a_quarter,
                line.t_of_a_half,
                t.abs()
            );
        }
        for line in &self.lines {
            let verdict = if line.met { "met    " } else { "NOT MET" };
            let found = if line.found { "told apart" } else { "not told apart" };
            println!("{verdict} {}: {found}", line.title);
        }
    }
}
