//! Measures the admin API with very many tenants on it: how long people wait for lists, for new
//! keys, and to log in.
//!
//! Everything runs on this machine: PostgreSQL, the admin service, xds-server and two Envoys, which
//! get each key that is made. Every tenant has an Admin, whose access token its requests carry, so
//! that each is authenticated and authorised as a real one is.

mod load;
mod operation;

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;
use stack::Stack;
use stack::build::{self, Artifacts};
use stack::echo::Echo;

use self::load::Rate;
use self::operation::{Callers, Operation};
use super::figures::{Percentiles, machine, write_json};
use super::people::People;
use super::seed::{self, Scale};
use super::{start, tokens};

#[derive(Debug, Clone, Args)]
pub(crate) struct Admin {
    /// Use fewer tenants and shorter runs, for a first impression
    #[arg(long)]
    quick: bool,
    /// Number of tenants, each with a site
    #[arg(long, default_value_t = 10_000)]
    tenants: usize,
    /// Number of keys of all tenants together
    #[arg(long, default_value_t = 1_000_000)]
    keys: usize,
    /// Seconds for each kind of request, with fifty requests in each second
    #[arg(long, default_value_t = 30)]
    seconds: u64,
}

/// The rates of the bar. Logins have a lower one: fifty a second would take more than two
/// processors, by design of the hash.
const RATE: Rate = Rate(50);
const LOGIN_RATE: Rate = Rate(5);
const MOST_P99_MS: f64 = 20.0;
/// Number of tenants whose Admins ask.
const CALLERS: usize = 200;
const ENVOYS: usize = 2;

impl Admin {
    fn scale(&self) -> (Scale, Duration) {
        match self.quick {
            true => (Scale { sites: 1_000, keys: 10_000 }, Duration::from_secs(5)),
            false => {
                (Scale { sites: self.tenants, keys: self.keys }, Duration::from_secs(self.seconds))
            }
        }
    }
}

/// The figures of one kind of request.
#[derive(Debug, Serialize)]
struct Line {
    operation: Operation,
    requests_per_second: u32,
    from_due_to_answered: Percentiles,
    /// True if the bar is met; `None` if there is no bar.
    met: Option<bool>,
}

#[derive(Debug, Serialize)]
struct Figures {
    machine: String,
    tenants: usize,
    keys: usize,
    lines: Vec<Line>,
}

/// Builds this program in release too, for the time that it takes to ask is part of what is
/// measured, and has that one go on.
pub(super) fn build_and_measure(what: &Admin, artifacts: &Artifacts) -> Result<ExitCode> {
    let xtask = build::build_release_xtask()?;
    let mut measure = Command::new(&xtask);
    measure.arg("bench-admin").args(what.quick.then_some("--quick"));
    measure.args(["--tenants", &what.tenants.to_string(), "--keys", &what.keys.to_string()]);
    measure.args(["--seconds", &what.seconds.to_string()]);
    measure.env("TENANTRY_BIN_DIR", &artifacts.bin_dir).env("TENANTRY_WASM", &artifacts.wasm);
    let status = measure.status().with_context(|| format!("starting {}", xtask.display()))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Measures, with what has been built.
pub(crate) async fn measure(what: &Admin) -> Result<()> {
    let artifacts = Artifacts::from_env()?;
    let (scale, duration) = what.scale();
    let builder = Stack::builder("bench-admin").artifacts(&artifacts).own_postgres();
    let builder = builder.envoys(ENVOYS).concurrency(1).without_xds_and_envoys();
    let mut stack = builder.start().await?;
    let upstream = Echo::start("shop", stack::ports::loopback(0))?;
    let people = fill(&stack, scale, &upstream).await?;
    start::everything_else(&mut stack).await?;
    let callers = Callers::log_in(&stack.api, people, scale, CALLERS).await?;
    eprintln!("{CALLERS} Admins have logged in");
    let mut lines = Vec::new();
    for operation in Operation::ALL {
        let rate = if operation.has_bar() { RATE } else { LOGIN_RATE };
        // The first requests warm the service up, and are not measured.
        load::run(rate, Duration::from_secs(2), |number| operation.send(number, &callers)).await?;
        let taken = load::run(rate, duration, |number| operation.send(number, &callers)).await?;
        let of = Percentiles::of(taken).context("nothing was asked")?;
        eprintln!("{}: p50 {:.2} ms, p99 {:.2} ms", operation.title(), of.p50_ms, of.p99_ms);
        let met = operation.has_bar().then_some(of.p99_ms <= MOST_P99_MS);
        lines.push(Line { operation, requests_per_second: rate.0, from_due_to_answered: of, met });
    }
    // An Envoy that starts before xds-server complains that it is not there.
    stack.allow_in_envoy_log("DeltaAggregatedResources gRPC config stream");
    stack.allow_in_envoy_log("no stream to cluster xds");
    stack.finish().await?;
    let figures = Figures { machine: machine()?, tenants: scale.sites, keys: scale.keys, lines };
    figures.print();
    write_json("admin", &figures)
}

/// Tenants with all that they have, and their people.
async fn fill(stack: &Stack, scale: Scale, upstream: &Echo) -> Result<People> {
    let begun = Instant::now();
    let mut database = stack.superuser().await?;
    seed::seed(&mut database, scale, upstream.addr, &tokens::make(0)?).await?;
    let people = People::seed(&mut database, scale).await?;
    let Scale { sites, keys } = scale;
    eprintln!(
        "{sites} tenants, {keys} keys: in PostgreSQL after {:.1} s",
        begun.elapsed().as_secs_f64()
    );
    Ok(people)
}

impl Figures {
    fn print(&self) {
        println!(
            "{}; everything on it, {ENVOYS} Envoys; {} tenants, {} keys",
            self.machine, self.tenants, self.keys
        );
        println!(
            "{:<30} {:>6} {:>9} {:>9} {:>9} {:>9}",
            "", "a second", "min ms", "p50 ms", "p99 ms", "max ms"
        );
        for Line { operation, requests_per_second, from_due_to_answered, .. } in &self.lines {
            let Percentiles { min_ms, p50_ms, p99_ms, max_ms, .. } = from_due_to_answered;
            let title = operation.title();
            println!(
                "{title:<30} {requests_per_second:>8} {min_ms:>9.2} {p50_ms:>9.2} {p99_ms:>9.2} \
                 {max_ms:>9.2}"
            );
        }
        for Line { operation, met, from_due_to_answered, .. } in &self.lines {
            let Some(met) = met else { continue };
            let (verdict, title, p99) = (
                if *met { "met    " } else { "NOT MET" },
                operation.title(),
                from_due_to_answered.p99_ms,
            );
            println!("{verdict} p99 of `{title}` in ms, at most {MOST_P99_MS}: {p99:.2}");
        }
    }
}
