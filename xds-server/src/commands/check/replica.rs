//! The state of a replica, as it says over HTTP.

use std::time::Duration;

use crate::follow::report::LAST_SEQ;
use crate::grpc::report::STREAMS;

/// A replica that answers at all answers at once.
const PATIENCE: Duration = Duration::from_secs(3);

/// The answers of one replica.
#[derive(Clone, Debug)]
pub(super) struct Replica {
    pub(super) url: String,
    /// The answers, or the reason why there are none.
    pub(super) said: Result<ReplicaState, String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct ReplicaState {
    pub(super) ready: bool,
    /// The body of its answer about being ready.
    pub(super) readiness: String,
    /// The last change that it has applied.
    pub(super) applied: Option<i64>,
    /// The streams that are open.
    pub(super) streams: u64,
}

impl Replica {
    pub(super) async fn ask(url: &str) -> Self {
        let said = ask(url.trim_end_matches('/')).await.map_err(|error| {
            let cause = std::error::Error::source(&error)
                .map(|cause| format!(": {cause}"))
                .unwrap_or_default();
            format!("{error}{cause}")
        });
        Self { url: url.to_owned(), said }
    }
}

async fn ask(url: &str) -> reqwest::Result<ReplicaState> {
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
    let readiness = client.get(format!("{url}/readyz")).send().await?;
    let ready = readiness.status().is_success();
    let readiness = readiness.text().await?.trim().to_owned();
    let metrics =
        client.get(format!("{url}/metrics")).send().await?.error_for_status()?.text().await?;
    let applied = value(&metrics, LAST_SEQ).map(|seq| seq as i64);
    let streams = value(&metrics, STREAMS).unwrap_or_default() as u64;
    Ok(ReplicaState { ready, readiness, applied, streams })
}

/// The value of a metric without labels, in Prometheus' text format.
fn value(metrics: &str, name: &str) -> Option<f64> {
    metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::value;

    #[test]
    fn a_metric_is_found_by_its_whole_name() {
        let metrics = "# TYPE a gauge\na_b 1\na{x=\"y\"} 2\na 3\n";
        assert_eq!((value(metrics, "a"), value(metrics, "b")), (Some(3.0), None));
    }
}
