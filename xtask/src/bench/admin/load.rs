//! Requests at a steady rate: when one is sent does not depend on what those before have taken, and
//! its time counts from when it was due. So an answer that comes late delays nobody's question, and
//! hides nothing.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use tokio::time::Instant;

/// A rate, per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate(pub(super) u32);

/// Sends for so long, and waits for all answers; the milliseconds of each. `send` gets the number
/// of its request.
///
/// # Errors
/// The first failure: what goes wrong is not measured.
pub(super) async fn run<F>(
    rate: Rate,
    duration: Duration,
    send: impl Fn(usize) -> F,
) -> Result<Vec<f64>>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let interval = Duration::from_secs(1).checked_div(rate.0).context("a rate of none")?;
    let count = usize::try_from(duration.as_nanos() / interval.as_nanos())?;
    ensure!(count > 0, "{duration:?} is too short for one request");
    let start = Instant::now() + interval;
    let mut under_way = Vec::with_capacity(count);
    for number in 0..count {
        let due = start + interval * u32::try_from(number)?;
        tokio::time::sleep_until(due).await;
        let request = send(number);
        under_way.push(tokio::spawn(async move {
            request.await?;
            anyhow::Ok(due.elapsed().as_secs_f64() * 1000.0)
        }));
    }
    try_join_all(under_way).await.context("a request has panicked")?.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_counts_from_when_a_request_was_due() {
        // Each takes two intervals: none waits for the one before.
        let slow = |_| async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            Ok(())
        };
        let taken = run(Rate(10), Duration::from_secs(1), slow).await.expect("all are answered");
        assert_eq!(taken.len(), 10);
        assert!(taken.iter().all(|ms| (200.0..300.0).contains(ms)), "{taken:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_told() {
        let fails = |number| async move {
            ensure!(number != 3, "the fourth");
            Ok(())
        };
        assert!(run(Rate(10), Duration::from_secs(1), fails).await.is_err());
    }
}
