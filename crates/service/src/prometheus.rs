//! The recorder of metrics, in Prometheus' text format.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};

pub use metrics_exporter_prometheus::{BuildError, PrometheusHandle};

use crate::jobs::{self, JobHandle};
use crate::traces;

/// At one thousand samples a second, a few thousand samples wait at most.
const UPKEEP: Duration = Duration::from_secs(5);

/// A process has one set of metrics.
static INSTALLED: Mutex<Option<PrometheusHandle>> = Mutex::new(None);

/// A histogram and the upper bounds of its buckets.
#[derive(Clone, Copy, Debug)]
pub struct Histogram<'a> {
    /// The full name of the metric.
    pub name: &'a str,
    /// The bounds, ascending, in the metric's unit.
    pub buckets: &'a [f64],
}

/// Starts to collect metrics for the whole process, and describes those of [`jobs`] and
/// [`traces`]. A second call
/// changes nothing, and returns the same handle.
///
/// # Errors
/// Fails when a histogram has no buckets, or something else collects the process's metrics.
pub fn install(histograms: &[Histogram<'_>]) -> Result<PrometheusHandle, BuildError> {
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = &*installed {
        return Ok(handle.clone());
    }
    let mut builder = PrometheusBuilder::new();
    for histogram in histograms {
        let metric = Matcher::Full(histogram.name.to_owned());
        builder = builder.set_buckets_for_metric(metric, histogram.buckets)?;
    }
    let handle = builder.install_recorder()?;
    jobs::describe_metrics();
    traces::describe_metrics();
    *installed = Some(handle.clone());
    Ok(handle)
}

/// Folds collected samples into their buckets every 5 seconds; they would pile up between two
/// scrapes. It is a job that restarts: it never ends by itself.
pub async fn keep_up(metrics: PrometheusHandle, job: JobHandle) {
    let mut ticks = tokio::time::interval(UPKEEP);
    loop {
        ticks.tick().await;
        metrics.run_upkeep();
        job.succeeded();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_recorder_is_the_first() {
        let first = install(&[Histogram { name: "seconds", buckets: &[0.1, 1.0] }]).unwrap();
        let second = install(&[]).unwrap();
        metrics::histogram!("seconds").record(0.05);
        for handle in [first, second] {
            assert!(handle.render().contains("seconds_bucket{le=\"0.1\"} 1"));
        }
    }
}
