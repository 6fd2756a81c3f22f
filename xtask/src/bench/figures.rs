//! Figures: percentiles, the machine that they are of, and the file that programs read.

use std::fs;

use anyhow::{Context, Result};
use serde::Serialize;
use stack::workspace_root;

/// Writes the figures for programs.
pub(super) fn write_json(name: &str, figures: &impl Serialize) -> Result<()> {
    let folder = workspace_root().join("target/bench");
    fs::create_dir_all(&folder)?;
    let file = folder.join(format!("{name}.json"));
    fs::write(&file, serde_json::to_vec_pretty(figures)?)
        .with_context(|| format!("writing {}", file.display()))?;
    println!("written to {}", file.display());
    Ok(())
}

/// Describes the machine.
pub(super) fn machine() -> Result<String> {
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
pub(super) struct Percentiles {
    pub(super) count: usize,
    pub(super) min_ms: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) max_ms: f64,
}

impl Percentiles {
    /// By the nearest rank. `None` for an empty sample.
    pub(super) fn of(mut sample_ms: Vec<f64>) -> Option<Percentiles> {
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
