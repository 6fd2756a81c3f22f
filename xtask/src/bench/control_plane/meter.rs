//! Measures a stretch of time: the CPU of xds-server and of the Envoys' main threads, and the bytes
//! that xds-server has sent.

use std::fs;
use std::time::Instant;

use anyhow::{Context, Result};
use serde::Serialize;

use super::world::{ENVOYS, World};

/// All that xds-server sends to an Envoy comes over this cluster: what is for Envoy, and what is
/// for the mirror in it.
const RECEIVED: &str = "cluster.xds.upstream_cx_rx_bytes_total";

/// The resources that were used, all Envoys together.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Cost {
    pub(super) seconds: f64,
    pub(super) xds_server_cpu_us: f64,
    pub(super) envoy_main_cpu_us: f64,
    pub(super) sent_bytes: f64,
}

impl Cost {
    /// Returns the cost of one edit, less the cost of an idle stretch of the same length.
    pub(super) fn of_each(self, edits: usize, idle: Cost) -> Cost {
        let share = if idle.seconds > 0.0 { self.seconds / idle.seconds } else { 0.0 };
        let each = |used: f64, idle: f64| (used - idle * share) / edits.max(1) as f64;
        Cost {
            seconds: self.seconds,
            xds_server_cpu_us: each(self.xds_server_cpu_us, idle.xds_server_cpu_us),
            envoy_main_cpu_us: each(self.envoy_main_cpu_us, idle.envoy_main_cpu_us),
            sent_bytes: each(self.sent_bytes, idle.sent_bytes),
        }
    }

    pub(super) fn cpu_us(self) -> f64 {
        self.xds_server_cpu_us + self.envoy_main_cpu_us
    }
}

/// A stretch of time that was metered.
#[derive(Debug)]
pub(super) struct Meter<T> {
    pub(super) cost: Cost,
    pub(super) outcome: T,
}

impl<T> Meter<T> {
    /// Runs this to its end. Envoy's admin interface, which is on the main thread, is asked outside
    /// of what is metered.
    pub(super) async fn over(world: &World, work: impl Future<Output = T>) -> Result<Self> {
        let bytes = sent_bytes(world).await?;
        let (start, xds, envoys) = (Instant::now(), xds_server_us(world)?, envoy_main_us(world)?);
        let outcome = work.await;
        let cost = Cost {
            seconds: start.elapsed().as_secs_f64(),
            xds_server_cpu_us: xds_server_us(world)? - xds,
            envoy_main_cpu_us: envoy_main_us(world)? - envoys,
            sent_bytes: sent_bytes(world).await? - bytes,
        };
        Ok(Self { cost, outcome })
    }
}

async fn sent_bytes(world: &World) -> Result<f64> {
    let mut bytes = 0.0;
    for envoy in &world.stack.envoys {
        bytes +=
            envoy.stat(RECEIVED).await?.with_context(|| format!("Envoy has no {RECEIVED}"))? as f64;
    }
    Ok(bytes)
}

/// All its threads: those of its runtime live as long as it does.
fn xds_server_us(world: &World) -> Result<f64> {
    let folder = format!("/proc/{}/task", world.xds_pid()?);
    let mut us = 0.0;
    for thread in fs::read_dir(&folder).with_context(|| format!("reading {folder}"))?.flatten() {
        // A thread that ends meanwhile is one that only waits for blocking work.
        us += on_cpu_us(&thread.path().join("schedstat")).unwrap_or_default();
    }
    Ok(us)
}

fn envoy_main_us(world: &World) -> Result<f64> {
    let main = |envoy| {
        let pid = world.envoy_pid(envoy)?;
        on_cpu_us(format!("/proc/{pid}/task/{pid}/schedstat").as_ref())
    };
    (0..ENVOYS).map(main).sum()
}

/// The first field is the time on a CPU, in nanoseconds: far finer than the ticks of `stat`.
fn on_cpu_us(schedstat: &std::path::Path) -> Result<f64> {
    let text = fs::read_to_string(schedstat)
        .with_context(|| format!("reading {}", schedstat.display()))?;
    let nanoseconds =
        text.split_ascii_whitespace().next().and_then(|field| field.parse::<f64>().ok());
    Ok(nanoseconds.with_context(|| format!("{} is empty", schedstat.display()))? / 1e3)
}

#[cfg(test)]
mod tests {
    use super::{Cost, on_cpu_us};

    #[test]
    fn what_goes_on_anyway_is_not_charged_to_the_edits() {
        let edits = Cost {
            seconds: 10.0,
            xds_server_cpu_us: 3_000.0,
            envoy_main_cpu_us: 500.0,
            sent_bytes: 1_000.0,
        };
        let idle = Cost {
            seconds: 5.0,
            xds_server_cpu_us: 500.0,
            envoy_main_cpu_us: 0.0,
            sent_bytes: 0.0,
        };
        let each = edits.of_each(10, idle);
        assert_eq!(
            (each.xds_server_cpu_us, each.envoy_main_cpu_us, each.sent_bytes),
            (200.0, 50.0, 100.0)
        );
        assert_eq!(each.cpu_us(), 250.0);
    }

    #[test]
    fn the_kernel_tells_what_a_thread_has_used() {
        assert!(on_cpu_us("/proc/self/schedstat".as_ref()).is_ok_and(|us| us > 0.0));
    }
}
