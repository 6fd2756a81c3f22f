//! Interleaved rounds: every variant for a moment, then all of them again, so that what else goes
//! on at the machine falls on all alike.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;

use super::cpu;
use super::traffic::{Load, Run, Wrk};

/// For how long connections to an upstream are opened again before they count.
const RECONNECT: Duration = Duration::from_secs(1);

/// The way in which an Envoy answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mode {
    /// By itself.
    Direct,
    /// With what an upstream answers.
    Upstream,
}

pub(super) const MODES: [Mode; 2] = [Mode::Direct, Mode::Upstream];

/// One variant that is measured.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) id: &'static str,
    pub(super) title: String,
    pub(super) envoy: i32,
    /// The processes that work for it besides Envoy, with all of theirs.
    pub(super) others: Vec<i32>,
    /// By mode: where, and the requests. Absent: it cannot be, or means nothing.
    pub(super) direct: Option<(SocketAddr, Load)>,
    pub(super) upstream: Option<(SocketAddr, Load)>,
    /// True if it remembers requests: then each is sent once before the rounds begin.
    pub(super) remembers: bool,
}

impl Target {
    fn load(&self, mode: Mode) -> Option<&(SocketAddr, Load)> {
        match mode {
            Mode::Direct => self.direct.as_ref(),
            Mode::Upstream => self.upstream.as_ref(),
        }
    }
}

/// One variant in one round.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Sample {
    /// CPU time of Envoy, in microseconds a request.
    pub(super) envoy_us: f64,
    /// Of the processes that answer its call-outs, or feed it.
    pub(super) others_us: f64,
    /// Of the upstream, which is not counted in any sum.
    pub(super) upstream_us: f64,
    pub(super) requests_per_second: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

impl Sample {
    pub(super) fn total_us(&self) -> f64 {
        self.envoy_us + self.others_us
    }
}

/// All rounds of one variant in one mode.
#[derive(Debug, Serialize)]
pub(super) struct Series {
    pub(super) id: &'static str,
    pub(super) title: String,
    pub(super) mode: Mode,
    pub(super) concurrency: u32,
    pub(super) rounds: Vec<Sample>,
}

/// Duration and number of the rounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) rounds: usize,
    pub(super) each: Duration,
    pub(super) warm_up: Duration,
}

/// The load generator and the upstream that all variants share.
pub(super) struct Bench<'a> {
    pub(super) wrk: &'a Wrk,
    pub(super) upstream: i32,
}

impl Bench<'_> {
    /// Measures all targets, which run with so many workers.
    pub(super) async fn rounds(
        &self,
        targets: &[Target],
        concurrency: u32,
        pace: Pace,
    ) -> Result<Vec<Series>> {
        let mut all = Vec::new();
        for mode in MODES {
            let there = || targets.iter().filter(move |target| target.load(mode).is_some());
            for target in there() {
                self.warm_up(target, mode, pace.warm_up).await?;
            }
            let mut series: Vec<Series> = there()
                .map(|target| Series {
                    id: target.id,
                    title: target.title.clone(),
                    mode,
                    concurrency,
                    rounds: Vec::new(),
                })
                .collect();
            for round in 1..=pace.rounds {
                for (target, series) in there().zip(&mut series) {
                    series.rounds.push(self.sample(target, mode, pace.each).await?);
                }
                eprintln!("{mode:?}, {concurrency} worker(s): round {round} of {}", pace.rounds);
            }
            all.append(&mut series);
        }
        Ok(all)
    }

    async fn warm_up(&self, target: &Target, mode: Mode, duration: Duration) -> Result<()> {
        let (at, load) =
            target.load(mode).with_context(|| format!("{} has no {mode:?}", target.id))?;
        let warm_up = async {
            match target.remembers {
                true => self.wrk.run_whole(*at, load, duration).await,
                false => self.wrk.run(*at, load, duration).await.map(drop),
            }
        };
        warm_up.await.with_context(|| target.title.clone())
    }

    async fn sample(&self, target: &Target, mode: Mode, duration: Duration) -> Result<Sample> {
        let (at, load) =
            target.load(mode).with_context(|| format!("{} has no {mode:?}", target.id))?;
        if mode == Mode::Upstream {
            // Connections to the upstream end when they are idle for some seconds, as all were
            // since the last round; traffic that does not pause opens them once.
            self.wrk.run(*at, load, RECONNECT).await.with_context(|| target.title.clone())?;
        }
        let now = || -> Result<[f64; 3]> {
            let others: Result<Vec<f64>> =
                target.others.iter().map(|pid| cpu::used_with_children_us(*pid)).collect();
            Ok([cpu::used_us(target.envoy)?, others?.iter().sum(), cpu::used_us(self.upstream)?])
        };
        let before = now()?;
        let run = self.wrk.run(*at, load, duration).await.with_context(|| target.title.clone())?;
        let after = now()?;
        let Run { requests, per_second, p50_ms, p99_ms } = run;
        let [envoy_us, others_us, upstream_us] =
            std::array::from_fn(|index| (after[index] - before[index]) / requests as f64);
        Ok(Sample {
            envoy_us,
            others_us,
            upstream_us,
            requests_per_second: per_second,
            p50_ms,
            p99_ms,
        })
    }
}
