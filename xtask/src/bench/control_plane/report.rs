//! The figures: a table for people, JSON for programs, and whether the bars are met.

use std::fmt;

use anyhow::{Context, Result};
use serde::Serialize;

use super::cold_start::ColdStart;
use super::edit::{Kind, Measured};
use super::meter::Cost;
use super::world::Memory;
use crate::bench::figures::{Percentiles, machine};
use crate::bench::seed::Scale;

/// The bars, and the sizes that they are about.
const LARGE_SITES: usize = 10_000;
const LARGE_KEYS: usize = 1_000_000;
const SMALL_SITES: usize = 100;
const MOST_P99_MS: f64 = 50.0;
const MOST_GROWTH: f64 = 1.5;
const MOST_COLD_START_S: f64 = 15.0;
const MOST_XDS_SERVER_MB: f64 = 1_500.0;
const MOST_ENVOY_MB: f64 = 600.0;

/// The figures of one number of sites.
#[derive(Debug, Serialize)]
pub(super) struct Run {
    pub(super) sites: usize,
    pub(super) keys: usize,
    /// Number of sites that both Envoys had loaded.
    pub(super) active: usize,
    pub(super) cold_start: ColdStart,
    pub(super) edits: usize,
    /// Until the last Envoy obeyed.
    pub(super) everywhere: Percentiles,
    pub(super) by_kind: Vec<(Kind, Percentiles)>,
    /// Answers 5xx while edits were waited for.
    pub(super) failures: usize,
    /// Of one edit, beyond what goes on anyway.
    pub(super) of_each: Cost,
    pub(super) idle: Cost,
    pub(super) loaded: Memory,
    pub(super) after_edits: Memory,
}

impl Run {
    pub(super) fn of(
        Scale { sites, keys }: Scale,
        active: usize,
        cold_start: ColdStart,
        [loaded, after_edits]: [Memory; 2],
        [idle, editing]: [Cost; 2],
        measured: &[Measured],
    ) -> Result<Self> {
        let last = |wanted: Option<Kind>| {
            let of = measured.iter().filter(|edit| wanted.is_none_or(|kind| edit.kind == kind));
            Percentiles::of(
                of.filter_map(|edit| edit.after_ms.iter().copied().reduce(f64::max)).collect(),
            )
        };
        let by_kind =
            Kind::ALL.into_iter().filter_map(|kind| Some((kind, last(Some(kind))?))).collect();
        let everywhere = last(None).context("nothing was edited")?;
        let failures = measured.iter().map(|edit| edit.failures).sum();
        let (edits, of_each) = (measured.len(), editing.of_each(measured.len(), idle));
        Ok(Self {
            sites,
            keys,
            active,
            cold_start,
            edits,
            everywhere,
            by_kind,
            failures,
            of_each,
            idle,
            loaded,
            after_edits,
        })
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Percentiles { p50_ms, p99_ms, max_ms, .. }, each) = (&self.everywhere, &self.of_each);
        write!(
            f,
            "{} edits, p50 {p50_ms:.2} ms, p99 {p99_ms:.2} ms, max {max_ms:.2} ms; ",
            self.edits
        )?;
        let kilobytes = each.sent_bytes / 1e3;
        write!(
            f,
            "each {:.0} us of xds-server and {:.0} us of the Envoys' main threads, {kilobytes:.1} \
             kB sent; ",
            each.xds_server_cpu_us, each.envoy_main_cpu_us
        )?;
        write!(f, "{} answers 5xx", self.failures)
    }
}

/// The result of one bar.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Verdict {
    bar: String,
    measured: f64,
    met: bool,
}

/// All that was found.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    machine: String,
    runs: Vec<Run>,
    verdicts: Vec<Verdict>,
}

impl Report {
    pub(super) fn of(runs: Vec<Run>) -> Result<Self> {
        let verdicts = verdicts(&runs);
        Ok(Self { machine: machine()?, runs, verdicts })
    }

    pub(super) fn print(&self) {
        println!(
            "{}; everything on it, 2 Envoys with 1 worker each, 10 edits a second",
            self.machine
        );
        self.print_latencies();
        println!("\nof one edit, beyond what goes on without any; both Envoys together");
        println!("{:>9} {:>14} {:>18} {:>12}", "sites", "xds-server us", "Envoy main us", "bytes");
        for Run { sites, of_each, .. } in &self.runs {
            let Cost { xds_server_cpu_us, envoy_main_cpu_us, sent_bytes, .. } = of_each;
            println!(
                "{sites:>9} {xds_server_cpu_us:>14.0} {envoy_main_cpu_us:>18.0} {sent_bytes:>12.0}"
            );
        }
        println!("\ncold start: xds-server and both Envoys at once, PostgreSQL is there");
        for run in &self.runs {
            println!("{:>9} sites, {:>8} keys: {}", run.sites, run.keys, run.cold_start);
            println!(
                "{:>9}        {:>8}       with {} sites loaded: {}",
                "", "", run.active, run.loaded
            );
            println!("{:>9}        {:>8}       after the edits: {}", "", "", run.after_edits);
        }
        println!();
        for Verdict { bar, measured, met } in &self.verdicts {
            println!("{} {bar}: {measured:.2}", if *met { "met    " } else { "NOT MET" });
        }
    }

    fn print_latencies(&self) {
        println!("\nfrom the commit until both Envoys obey");
        let titles = ["count", "min ms", "p50 ms", "p99 ms", "max ms", "5xx"];
        let [count, min, p50, p99, max, failures] = titles;
        println!(
            "{:>9} {:<16} {count:>6} {min:>9} {p50:>9} {p99:>9} {max:>9} {failures:>6}",
            "sites", ""
        );
        for run in &self.runs {
            let row = |title: &str, of: &Percentiles, failures: &str| {
                let Percentiles { count, min_ms, p50_ms, p99_ms, max_ms } = of;
                let sites = run.sites;
                println!(
                    "{sites:>9} {title:<16} {count:>6} {min_ms:>9.2} {p50_ms:>9.2} {p99_ms:>9.2} \
                     {max_ms:>9.2} {failures:>6}"
                );
            };
            row("all", &run.everywhere, &run.failures.to_string());
            run.by_kind.iter().for_each(|(kind, of)| row(kind.title(), of, ""));
        }
    }
}

fn verdicts(runs: &[Run]) -> Vec<Verdict> {
    let find = |sites| runs.iter().find(|run| run.sites == sites);
    let most = |bar: &str, measured: f64, most: f64| Verdict {
        bar: format!("{bar}, at most {most}"),
        measured,
        met: measured <= most,
    };
    let Some(large) = find(LARGE_SITES) else { return Vec::new() };
    let mut verdicts =
        vec![most("p99 in ms with 10,000 sites", large.everywhere.p99_ms, MOST_P99_MS)];
    if large.keys == LARGE_KEYS {
        let cold = &large.cold_start;
        let envoy_mb = cold.memory.envoy_mb.iter().copied().fold(0.0, f64::max);
        verdicts.extend([
            most(
                "cold start in s with 10,000 sites and 1,000,000 keys",
                cold.together_s(),
                MOST_COLD_START_S,
            ),
            most(
                "RSS of xds-server in MB after it, at its peak",
                cold.memory.xds_server_peak_mb,
                MOST_XDS_SERVER_MB,
            ),
            most("RSS of Envoy in MB after it", envoy_mb, MOST_ENVOY_MB),
        ]);
    }
    if let Some(small) = find(SMALL_SITES) {
        let (large, small) = (large.of_each, small.of_each);
        verdicts.push(most(
            "CPU of an edit, 10,000 sites over 100",
            large.cpu_us() / small.cpu_us(),
            MOST_GROWTH,
        ));
        verdicts.push(most(
            "bytes of an edit, 10,000 sites over 100",
            large.sent_bytes / small.sent_bytes,
            MOST_GROWTH,
        ));
    }
    verdicts
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
