//! A deployment to be measured: its parts, its sites, and how to ask for what they do.

use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::StreamExt as _;
use futures::stream;
use reqwest::{Client, StatusCode};
use serde::Serialize;
use sqlx::PgConnection;
use stack::Stack;
use stack::build::Artifacts;
use stack::echo::Echo;
use tokio::sync::Mutex;

use super::progress;
use crate::bench::seed::{self, Scale};
use crate::bench::tokens;

/// Number of Envoys: the bars say two.
pub(super) const ENVOYS: usize = 2;

/// The bench gives up on a step after this time.
pub(super) const PATIENCE: Duration = Duration::from_secs(300);

/// Number of sites that are loaded at the same time.
const LOADED_TOGETHER: usize = 8;

/// A path that the routes of every site match.
pub(super) const PATH: &str = "/shop/v1/products/42";

pub(super) struct World {
    pub(super) stack: Stack,
    /// Number of sites that both Envoys load, from the first one on.
    pub(super) active: usize,
    /// The target of every site's upstream in the beginning, and the one that it can be moved to.
    upstreams: [Echo; 2],
    /// The database, for when its changes were committed.
    pub(super) database: Mutex<PgConnection>,
    /// A key of each site that is let in.
    keys: Vec<String>,
    clients: Vec<Client>,
    /// True for sites whose upstream has been moved.
    moved: Vec<AtomicBool>,
}

/// An answer of a gateway.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) status: StatusCode,
    /// The name of the upstream, if one has answered.
    pub(super) upstream: Option<String>,
}

/// Resident memory of the processes, in MB.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Memory {
    pub(super) xds_server_mb: f64,
    /// The most that xds-server has had.
    pub(super) xds_server_peak_mb: f64,
    pub(super) envoy_mb: Vec<f64>,
}

impl World {
    /// Fills a database; starts neither xds-server nor Envoys.
    pub(super) async fn prepare(
        artifacts: &Artifacts,
        scale: Scale,
        active: usize,
    ) -> Result<Self> {
        let begun = Instant::now();
        let builder = Stack::builder("bench-control-plane").artifacts(artifacts).own_postgres();
        let stack = builder.envoys(ENVOYS).concurrency(1).without_xds_and_envoys().start().await?;
        let start = |name| Echo::start(name, stack::ports::loopback(0));
        let upstreams = [start("first")?, start("second")?];
        let mut database = stack.superuser().await?;
        let keys = seed::seed(&mut database, scale, upstreams[0].addr, &tokens::make(0)?).await?;
        progress(
            scale,
            &format!(
                "{} keys, in PostgreSQL after {:.1} s",
                scale.keys,
                begun.elapsed().as_secs_f64()
            ),
        );
        // The keys were dealt out to the sites in turn.
        let keys = keys.into_iter().take(active).map(|seeded| seeded.key).collect();
        let client = || Client::builder().no_proxy().timeout(PATIENCE).build();
        let clients = (0..ENVOYS).map(|_| client()).collect::<Result<_, _>>()?;
        let (database, moved) =
            (Mutex::new(database), (0..active).map(|_| AtomicBool::new(false)).collect());
        Ok(Self { stack, active, upstreams, database, keys, clients, moved })
    }

    /// One request to one Envoy.
    pub(super) async fn ask(
        &self,
        envoy: usize,
        site: usize,
        path: &str,
        key: Option<&str>,
    ) -> Result<Seen> {
        let (client, key) =
            (self.clients.get(envoy), key.or_else(|| self.keys.get(site).map(String::as_str)));
        let request =
            client.context("no such Envoy")?.get(format!("http://{}{path}", self.gateway(envoy)));
        let request = request
            .header("host", seed::hostname(site))
            .header("x-api-key", key.unwrap_or_default());
        let response = request.send().await?;
        let status = response.status();
        // Read to its end, so that the connection is used again.
        let body = response.bytes().await?;
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        Ok(Seen { status, upstream: body["upstream"].as_str().map(str::to_owned) })
    }

    /// Asks one Envoy for one site until it is served.
    pub(super) async fn wait_until_served(&self, envoy: usize, site: usize) -> Result<()> {
        let begun = Instant::now();
        loop {
            let seen = match self.ask(envoy, site, PATH, None).await {
                Ok(seen) if seen.status.is_success() => return Ok(()),
                Ok(seen) => seen.status.to_string(),
                Err(error) => format!("{error:#}"),
            };
            ensure!(
                begun.elapsed() < PATIENCE,
                "site {site} is still not served by Envoy {envoy}, but: {seen}"
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Has both Envoys load the active sites, by a request for each.
    pub(super) async fn load_active_sites(&self) -> Result<()> {
        let pairs = (0..self.active).flat_map(|site| (0..ENVOYS).map(move |envoy| (envoy, site)));
        let requests = stream::iter(pairs.map(|(envoy, site)| self.wait_until_served(envoy, site)));
        let served: Vec<Result<()>> = requests.buffer_unordered(LOADED_TOGETHER).collect().await;
        served.into_iter().collect()
    }

    /// Returns the upstream that a site is to be moved to next.
    pub(super) fn turn_upstream(&self, site: usize) -> &Echo {
        let was_moved =
            self.moved.get(site).is_some_and(|moved| moved.fetch_xor(true, Ordering::Relaxed));
        let [first, second] = &self.upstreams;
        if was_moved { first } else { second }
    }

    pub(super) fn gateway(&self, envoy: usize) -> SocketAddr {
        self.stack.envoys[envoy].settings.gateway
    }

    pub(super) fn xds_pid(&self) -> Result<i32> {
        self.stack.xds.pid().context("xds-server does not run")
    }

    pub(super) fn envoy_pid(&self, envoy: usize) -> Result<i32> {
        self.stack.envoys[envoy].service.pid().context("an Envoy does not run")
    }

    pub(super) fn memory(&self) -> Result<Memory> {
        let xds = self.xds_pid()?;
        let envoy_mb = (0..ENVOYS)
            .map(|envoy| memory_mb(self.envoy_pid(envoy)?, "VmRSS:"))
            .collect::<Result<_>>()?;
        Ok(Memory {
            xds_server_mb: memory_mb(xds, "VmRSS:")?,
            xds_server_peak_mb: memory_mb(xds, "VmHWM:")?,
            envoy_mb,
        })
    }

    pub(super) async fn finish(mut self) -> Result<()> {
        // An Envoy that starts before xds-server complains that it is not there.
        self.stack.allow_in_envoy_log("DeltaAggregatedResources gRPC config stream");
        self.stack.allow_in_envoy_log("no stream to cluster xds");
        self.stack.finish().await
    }
}

/// A line of `/proc/<pid>/status`, which is in kB.
fn memory_mb(pid: i32, line: &str) -> Result<f64> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    let value = status.lines().find_map(|text| {
        text.strip_prefix(line)?.split_ascii_whitespace().next()?.parse::<f64>().ok()
    });
    Ok(value.with_context(|| format!("{path} has no {line}"))? * 1024.0 / 1e6)
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let envoys: Vec<String> = self.envoy_mb.iter().map(|mb| format!("{mb:.0}")).collect();
        let (now, peak) = (self.xds_server_mb, self.xds_server_peak_mb);
        write!(f, "xds-server {now:.0} MB (at most {peak:.0}), Envoys {} MB", envoys.join(" and "))
    }
}
