//! The requests, and `wrk`, which sends them.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::{Client, StatusCode};
use tokio::process::Command;

use crate::bench::seed::{SeededKey, chosen_route, hostname};

/// Connections that are kept open, by one thread of `wrk`.
const CONNECTIONS: &str = "32";

/// The header by which the requests of a site differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) host: String,
    pub(super) header: &'static str,
    pub(super) value: String,
}

impl Request {
    pub(super) fn with_key(key: &SeededKey) -> Self {
        Self { host: hostname(key.site), header: "x-api-key", value: key.key.clone() }
    }

    pub(super) fn with_token(site: usize, token: &str) -> Self {
        Self { host: hostname(site), header: "authorization", value: format!("Bearer {token}") }
    }

    /// As the filter would leave it.
    pub(super) fn decided(site: usize) -> Self {
        Self { host: hostname(site), header: "x-tenantry-route", value: chosen_route(site) }
    }

    /// Returns the status of its answer.
    pub(super) async fn status(
        &self,
        client: &Client,
        gateway: SocketAddr,
    ) -> reqwest::Result<StatusCode> {
        let request = client.get(format!("http://{gateway}{PATH}")).header("host", &self.host);
        Ok(request.header(self.header, &self.value).send().await?.status())
    }
}

/// A file of requests, and how they are taken out of it.
#[derive(Debug, Clone)]
pub(super) struct Load {
    file: PathBuf,
    count: u64,
    /// The place from which the next run goes on, if they are sent in turn; otherwise each is drawn
    /// at random.
    turn: Option<Arc<AtomicU64>>,
}

impl Load {
    /// The same requests in turn: each comes again when all others have come.
    pub(super) fn in_turn(&self) -> Self {
        Self { turn: Some(Arc::default()), ..self.clone() }
    }
}

/// Writes requests into a file for `load.lua`, which draws them at random.
pub(super) fn write(file: &Path, requests: impl IntoIterator<Item = Request>) -> Result<Load> {
    let mut count = 0;
    let mut out =
        BufWriter::new(File::create(file).with_context(|| format!("writing {}", file.display()))?);
    for Request { host, header, value } in requests {
        write!(
            out,
            "GET {PATH} HTTP/1.1\r\nhost: {host}\r\nuser-agent: bench/1\r\n\
             accept: application/json\r\n"
        )?;
        write!(out, "{header}: {value}\r\n\r\n\0")?;
        count += 1;
    }
    out.flush()?;
    Ok(Load { file: file.to_owned(), count, turn: None })
}

/// A path that the routes of every site match: by [`chosen_route`].
const PATH: &str = "/shop/v1/products/42";

/// The figures of `wrk` about one run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Run {
    pub(super) requests: u64,
    pub(super) per_second: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

/// The load generator, with its script beside the request files.
#[derive(Debug)]
pub(super) struct Wrk {
    script: PathBuf,
}

impl Wrk {
    pub(super) fn new(folder: &Path) -> Result<Self> {
        let script = folder.join("load.lua");
        std::fs::write(&script, include_str!("load.lua"))?;
        Ok(Self { script })
    }

    /// Sends requests out of a file for a time.
    ///
    /// # Errors
    /// If one of them was not answered 2xx: then the run measured something else.
    pub(super) async fn run(&self, to: SocketAddr, load: &Load, duration: Duration) -> Result<Run> {
        let Some(turn) = &load.turn else { return self.run_from(to, load, None, duration).await };
        let run = self.run_from(to, load, Some(turn.load(Relaxed)), duration).await?;
        turn.fetch_add(run.requests, Relaxed);
        Ok(run)
    }

    /// Sends every request of a file, and goes on for this time at least.
    pub(super) async fn run_whole(
        &self,
        to: SocketAddr,
        load: &Load,
        duration: Duration,
    ) -> Result<()> {
        let mut sent = 0;
        while sent < load.count {
            sent += self.run_from(to, load, Some(sent), duration).await?.requests;
        }
        Ok(())
    }

    async fn run_from(
        &self,
        to: SocketAddr,
        load: &Load,
        from: Option<u64>,
        duration: Duration,
    ) -> Result<Run> {
        // wrk counts in whole seconds.
        let seconds = format!("{}s", duration.as_secs().max(1));
        let output = Command::new("wrk")
            .args(["--threads", "1", "--connections", CONNECTIONS, "--timeout", "10s", "--latency"])
            .args(["--duration", &seconds, "--script"])
            .arg(&self.script)
            .arg(format!("http://{to}"))
            .arg("--")
            .arg(&load.file)
            .args(from.map(|from| (from % load.count.max(1)).to_string()))
            .kill_on_drop(true)
            .output()
            .await
            .context("starting wrk, which Debian's package wrk has")?;
        let printed = String::from_utf8_lossy(&output.stdout);
        for trouble in ["Non-2xx", "Socket errors"] {
            ensure!(
                !printed.contains(trouble),
                "not every request to {to} was answered well:\n{printed}"
            );
        }
        parse(&printed).with_context(|| {
            format!(
                "wrk printed what cannot be read:\n{printed}{}",
                String::from_utf8_lossy(&output.stderr)
            )
        })
    }
}

fn parse(printed: &str) -> Option<Run> {
    let line =
        |start: &str| printed.lines().map(str::trim).find_map(|line| line.strip_prefix(start));
    let requests = printed.lines().find(|line| line.contains(" requests in "))?;
    let run = Run {
        requests: requests.split_ascii_whitespace().next()?.parse().ok()?,
        per_second: line("Requests/sec:")?.trim().parse().ok()?,
        p50_ms: milliseconds(line("50%")?)?,
        p99_ms: milliseconds(line("99%")?)?,
    };
    (run.requests > 0).then_some(run)
}

fn milliseconds(text: &str) -> Option<f64> {
    let text = text.trim();
    let units = [("us", 0.001), ("ms", 1.0), ("s", 1_000.0)];
    let (number, factor) =
        units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)))?;
    Some(number.parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    use super::{Run, parse};

    #[test]
    fn what_wrk_prints_is_read() {
        let printed = "  Latency Distribution\n     \
                       50%  812.00us\n     75%    1.02ms\n     \
                       90%    1.10ms\n     99%    1.20s \n  \
                       50000 requests in 2.00s, 5.1MB read\nRequests/sec:  24999.10\n";
        let run = Run { requests: 50_000, per_second: 24_999.1, p50_ms: 0.812, p99_ms: 1_200.0 };
        assert_eq!(parse(printed), Some(run));
        assert_eq!(parse("unable to connect"), None);
    }
}
