//! A whole deployment for one end-to-end test: its own database, admin service, xds-server and
//! Envoys, on free ports.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! let mut stack = stack::Stack::builder("revocation").envoys(2).start().await?;
//! let echo = stack::echo::Echo::start("shop", stack::ports::loopback(0))?;
//! let shop = stack.publish(&stack::provision::SiteSpec::shop("Acme", "acme", echo.addr)).await?;
//! let answer = stack.get(0, &shop.hostname, &shop.path, Some(&shop.api_key)).await?;
//! assert_eq!(answer.status(), 200);
//! stack.xds.kill().await?;
//! stack.allow_in_envoy_log("gRPC config stream to xds closed");
//! stack.finish().await
//! # }
//! ```

mod builder;
pub mod database;
mod envoy_log;
pub mod person;
mod throwaway;

pub use builder::Builder;
pub use database::TestDatabase;
pub use throwaway::new_cluster;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use reqwest::{Method, Response, StatusCode};

use crate::admin_api::AdminApi;
use crate::envoy::Envoy;
use crate::postgres::{Cluster, Database, DatabaseServer};
use crate::process;
use crate::provision::{Published, SiteSpec, publish};
use crate::service::Service;

/// A test gives up on a change that has not reached the gateway after this time: far longer than it
/// takes.
const PROPAGATION: Duration = Duration::from_secs(60);

/// Every field that runs can be stopped, killed and started again on its own. End a test with
/// [`Stack::finish`]: a stack that is dropped without it counts as a failed test, prints the end of
/// every log and keeps its directory.
#[derive(Debug)]
pub struct Stack {
    pub admin: Service,
    pub xds: Service,
    /// The gRPC address of xds-server, also before it listens.
    pub xds_addr: SocketAddr,
    /// The HTTP address of its health and metrics.
    pub xds_http: SocketAddr,
    /// The xds-servers beside it: [`Builder::replicas`] less one.
    pub replicas: Vec<Replica>,
    pub envoys: Vec<Envoy>,
    /// The admin HTTP API with the operator token.
    pub api: AdminApi,
    pub database: Database,
    /// The server, when the test asked for its own: [`Builder::own_postgres`].
    pub postgres: Option<Cluster>,
    server: DatabaseServer,
    http: reqwest::Client,
    dir: PathBuf,
    allowed: Vec<String>,
    finished: bool,
}

/// One more xds-server.
#[derive(Debug)]
pub struct Replica {
    pub service: Service,
    /// Its gRPC address, also before it listens.
    pub grpc: SocketAddr,
    /// The HTTP address of its health and metrics.
    pub http: SocketAddr,
}

impl Stack {
    /// `name` is the test's; the logs go to `target/stack/<name>-...`.
    pub fn builder(name: &str) -> Builder {
        Builder::new(name)
    }

    /// Holds the logs of all parts.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A session of the superuser in the stack's database, for what no role of Tenantry may see.
    pub async fn superuser(&self) -> Result<sqlx::postgres::PgConnection> {
        self.server.connect_to(self.database.name()).await
    }

    /// Publishes an API through the admin HTTP API, and waits until every running Envoy lets its
    /// key in.
    pub async fn publish(&self, spec: &SiteSpec) -> Result<Published> {
        let published = publish(&self.api, spec, None).await?;
        for index in 0..self.envoys.len() {
            if self.envoys[index].service.is_running() {
                self.wait_for_status(index, &published, StatusCode::OK).await?;
            }
        }
        Ok(published)
    }

    /// A request to one Envoy with this `Host`, to be completed and sent by the test.
    pub fn request(
        &self,
        envoy: usize,
        method: Method,
        host: &str,
        path: &str,
    ) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.envoys[envoy].gateway_url());
        self.http.request(method, url).header("host", host)
    }

    /// GET with the key as a Bearer token.
    pub async fn get(
        &self,
        envoy: usize,
        host: &str,
        path: &str,
        key: Option<&str>,
    ) -> reqwest::Result<Response> {
        let mut request = self.request(envoy, Method::GET, host, path);
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        request.send().await
    }

    /// Asks until the example path is answered `wanted`; answers how long that took.
    pub async fn wait_for_status(
        &self,
        envoy: usize,
        site: &Published,
        wanted: StatusCode,
    ) -> Result<Duration> {
        let start = Instant::now();
        loop {
            let answer = self.get(envoy, &site.hostname, &site.path, Some(&site.api_key)).await;
            let seen = match answer {
                Ok(response) if response.status() == wanted => return Ok(start.elapsed()),
                Ok(response) => {
                    format!("{} {}", response.status(), response.text().await.unwrap_or_default())
                }
                Err(error) => format!("{error:#}"),
            };
            ensure!(
                start.elapsed() < PROPAGATION,
                "GET {} on {} at Envoy {envoy} is still not answered {wanted} after \
                 {PROPAGATION:?}, but {seen}",
                site.path,
                site.hostname
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Accepts lines of Envoy's log at level warning or above that contain `part`;
    /// [`Stack::finish`] fails on others.
    pub fn allow_in_envoy_log(&mut self, part: &str) {
        self.allowed.push(part.to_owned());
    }

    /// Stops everything in reverse order, checks the logs of all Envoys, and removes the database
    /// and the logs.
    pub async fn finish(mut self) -> Result<()> {
        for envoy in &mut self.envoys {
            envoy.service.stop().await?;
        }
        let mut complaints = Vec::new();
        for envoy in &self.envoys {
            complaints.extend(envoy_log::complaints(&envoy.service.launch.log, &self.allowed)?);
        }
        ensure!(
            complaints.is_empty(),
            "Envoy complained. Mend the cause, or allow_in_envoy_log() what the test provokes:\n{}",
            complaints.join("\n")
        );
        self.xds.stop().await?;
        for replica in &mut self.replicas {
            replica.service.stop().await?;
        }
        self.admin.stop().await?;
        match self.postgres.take() {
            Some(cluster) => cluster.destroy().await?,
            None => self
                .server
                .drop_database(self.database.name())
                .await
                .context("dropping the test's database")?,
        }
        std::fs::remove_dir_all(&self.dir)?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        let envoys = self.envoys.iter().map(|envoy| &envoy.service);
        let own = self.postgres.iter().map(|cluster| &cluster.service);
        let replicas = self.replicas.iter().map(|replica| &replica.service);
        for service in envoys.chain([&self.xds]).chain(replicas).chain([&self.admin]).chain(own) {
            let state = if service.is_running() { "running" } else { "not running" };
            eprintln!("{} ({state})\n{}", service.name, process::tail(&service.launch.log));
        }
        eprintln!("all logs: {}", self.dir.display());
    }
}
