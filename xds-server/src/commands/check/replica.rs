//! The state of a replica, as it says over HTTP.

use std::time::Duration;

use serde_json::Value;

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
    let readiness = shortened(readiness.text().await?.trim());
    let metrics =
        client.get(format!("{url}/metrics")).send().await?.error_for_status()?.text().await?;
    let applied = value(&metrics, LAST_SEQ).map(|seq| seq as i64);
    let streams = value(&metrics, STREAMS).unwrap_or_default() as u64;
    Ok(ReplicaState { ready, readiness, applied, streams })
}

/// An answer about being ready, without the jobs that run as they should.
fn shortened(readiness: &str) -> String {
    let Ok(Value::Object(mut body)) = serde_json::from_str(readiness) else {
        return readiness.to_owned();
    };
    if let Some(Value::Array(jobs)) = body.get_mut("jobs") {
        jobs.retain(|job| job["phase"] != "running" && job["phase"] != "done");
        if jobs.is_empty() {
            body.remove("jobs");
            body.remove("jobs_healthy");
        }
    }
    Value::Object(body).to_string()
}

/// The value of a metric without labels, in Prometheus' text format.
fn value(metrics: &str, name: &str) -> Option<f64> {
    metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::{shortened, value};

    #[test]
    fn only_jobs_that_do_not_run_are_shown() {
        let job = |phase: &str| format!(r#"{{"job":"a","phase":"{phase}"}}"#);
        let body = |jobs: &str| format!(r#"{{"jobs":[{jobs}],"jobs_healthy":false,"ready":true}}"#);
        assert_eq!(shortened(&body(&job("running"))), r#"{"ready":true}"#);
        let mixed = [job("running"), job("restarting"), job("done")].join(",");
        assert_eq!(shortened(&body(&mixed)), body(&job("restarting")));
        assert_eq!(shortened("not JSON"), "not JSON");
    }

    #[test]
    fn a_metric_is_found_by_its_whole_name() {
        let metrics = "# TYPE a gauge\na_b 1\na{x=\"y\"} 2\na 3\n";
        assert_eq!((value(metrics, "a"), value(metrics, "b")), (Some(3.0), None));
    }
}
