//! `cargo xtask bench <name>`: programs that measure, print a table and write JSON under
//! `target/bench`.

pub(crate) mod admin;
pub(crate) mod control_plane;
pub(crate) mod data_plane;
mod people;
mod revocation;
mod seed;
pub(crate) mod timing;
mod tokens;

use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Subcommand;
use serde::Serialize;
use stack::Stack;
use stack::build::{self, Profile};
use stack::workspace_root;

use crate::prerequisites;
use crate::runtime::block_on;

#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Time that people wait for the admin API, with very many tenants: lists, new keys and logins
    Admin(admin::Admin),
    /// Cost of a change, from its commit to its effect, by the number of tenants; and a cold start
    /// with all of them
    ControlPlane(control_plane::ControlPlane),
    /// Cost of a request in Envoy: Tenantry's filter beside an empty one, Envoy's own filters, Lua
    /// and call-outs
    DataPlane(data_plane::DataPlane),
    /// From the commit of an API key's revocation to its refusal, on two Envoys
    Revocation {
        /// Number of keys that are revoked, one after the other
        #[arg(long, default_value_t = 200)]
        count: usize,
    },
    /// Differences in the time of refusals that could tell an attacker which accounts, keys, tokens
    /// and ids exist
    Timing(timing::Timing),
}

/// Builds in release, so that what is measured is what would run.
pub(crate) fn run(bench: &Bench) -> Result<ExitCode> {
    prerequisites::ensure_wasm_target_and_envoy()?;
    prerequisites::ensure_postgres()?;
    let artifacts = build::build(Profile::Release)?;
    match bench {
        Bench::Admin(what) => return admin::build_and_measure(what, &artifacts),
        Bench::ControlPlane(what) => return control_plane::build_and_measure(what, &artifacts),
        Bench::DataPlane(what) => return data_plane::build_and_measure(what, &artifacts),
        Bench::Timing(what) => return timing::build_and_measure(what, &artifacts),
        Bench::Revocation { count } => block_on(revocation::run(&artifacts, *count))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// xds-server and the Envoys, until they serve.
async fn everything_else(stack: &mut Stack) -> Result<()> {
    stack.xds.launch()?;
    for envoy in &mut stack.envoys {
        envoy.service.launch()?;
    }
    stack.xds.wait_ready().await?;
    for envoy in &stack.envoys {
        envoy.service.wait_ready().await?;
    }
    Ok(())
}

/// Writes the figures for programs.
fn write_json(name: &str, figures: &impl Serialize) -> Result<()> {
    let folder = workspace_root().join("target/bench");
    fs::create_dir_all(&folder)?;
    let file = folder.join(format!("{name}.json"));
    fs::write(&file, serde_json::to_vec_pretty(figures)?)
        .with_context(|| format!("writing {}", file.display()))?;
    println!("written to {}", file.display());
    Ok(())
}

/// Describes the machine.
fn machine() -> Result<String> {
    let cpus = fs::read_to_string("/proc/cpuinfo").context("reading /proc/cpuinfo")?;
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("an unknown CPU", |(_, name)| name.trim());
    let count = std::thread::available_parallelism()?;
    let memory = fs::read_to_string("/proc/meminfo").context("reading /proc/meminfo")?;
    let kilobytes = memory.lines().find_map(|line| {
        line.strip_prefix("MemTotal:")?.split_ascii_whitespace().next()?.parse::<f64>().ok()
    });
    Ok(format!("{count} x {model}, {:.0} GB", kilobytes.unwrap_or_default() * 1024.0 / 1e9))
}

/// Percentiles of a sample, in milliseconds.
#[derive(Debug, Serialize)]
struct Percentiles {
    count: usize,
    min_ms: f64,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

impl Percentiles {
    /// By the nearest rank. `None` for an empty sample.
    fn of(mut sample_ms: Vec<f64>) -> Option<Percentiles> {
        sample_ms.sort_by(f64::total_cmp);
        let rank = |percent: usize| {
            sample_ms.get((sample_ms.len() * percent).div_ceil(100).saturating_sub(1)).copied()
        };
        Some(Percentiles {
            count: sample_ms.len(),
            min_ms: *sample_ms.first()?,
            p50_ms: rank(50)?,
            p99_ms: rank(99)?,
            max_ms: *sample_ms.last()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Percentiles;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let of = Percentiles::of((1..=200).rev().map(f64::from).collect()).expect("a sample");
        assert_eq!((of.min_ms, of.p50_ms, of.p99_ms, of.max_ms), (1.0, 100.0, 198.0, 200.0));
        assert!(Percentiles::of(Vec::new()).is_none());
    }
}
