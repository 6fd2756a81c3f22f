//! Two kinds of requests, one after the other and in a random order, so that whatever drifts on the
//! machine drifts for both.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use rand::Rng as _;
use rand::rngs::StdRng;
use reqwest::{Client, RequestBuilder, StatusCode};

/// Makes the request with a number.
pub(super) type Make = Box<dyn Fn(usize) -> RequestBuilder + Send + Sync>;

/// A kind of request.
pub(super) struct Side {
    pub(super) name: &'static str,
    pub(super) make: Make,
    /// The status of both answers.
    pub(super) status: StatusCode,
}

/// Two requests that an attacker would compare.
pub(super) struct Pair {
    pub(super) title: &'static str,
    pub(super) first: Side,
    pub(super) second: Side,
    /// Number of requests of each kind; a tenth with `--quick`.
    pub(super) count: usize,
    /// The result that it has to have.
    pub(super) expected: Expected,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// They cannot be told apart.
    Alike,
    /// They differ: this is to show that the bench would find it.
    Different,
}

/// The microseconds of each request, of both sides.
#[derive(Debug, Default)]
pub(super) struct Samples {
    pub(super) first: Vec<f64>,
    pub(super) second: Vec<f64>,
}

/// Sends `count` of each. What is sent before the first tenth is over is not counted, for
/// connections and caches are cold then.
///
/// # Errors
/// An answer is another than the pair says: then something else is measured than was meant.
pub(super) async fn run(
    client: &Client,
    pair: &Pair,
    count: usize,
    random: &mut StdRng,
) -> Result<Samples> {
    let cold = count / 10;
    let mut samples = Samples::default();
    for number in 0..count + cold {
        let mut sides = [(&pair.first, &mut samples.first), (&pair.second, &mut samples.second)];
        if random.random() {
            sides.reverse();
        }
        for (side, sample) in sides {
            let taken = one(client, side, number)
                .await
                .with_context(|| format!("{}: {}", pair.title, side.name))?;
            if number >= cold {
                sample.push(taken);
            }
        }
    }
    Ok(samples)
}

async fn one(client: &Client, side: &Side, number: usize) -> Result<f64> {
    let request = (side.make)(number).build()?;
    let start = Instant::now();
    let answer = client.execute(request).await?;
    let status = answer.status();
    let body = answer.bytes().await?;
    let taken = start.elapsed();
    ensure!(status == side.status, "{status} {}", String::from_utf8_lossy(&body));
    Ok(taken.as_secs_f64() * 1e6)
}
