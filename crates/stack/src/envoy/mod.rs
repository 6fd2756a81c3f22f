//! One Envoy, started from the operators' own bootstrap (`envoy/bootstrap.yaml`) with this
//! machine's addresses in it.

mod bootstrap;
mod hot_restart;
mod install;
mod standalone;

pub use bootstrap::{ClientTls, Edge, EnvoySettings};
pub use install::{ENVOY_VERSION, ensure_installed};

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process::Launch;
use crate::service::{Ready, Service};

/// The number of health checks in a row that xds-server has to fail before an Envoy leaves it.
const HEALTH_THRESHOLD: &str = "/static_resources/clusters/0/health_checks/0/unhealthy_threshold";
/// A check takes 2 s at most, so that this is more than a minute.
const PATIENT_THRESHOLD: u32 = 30;

/// An answer of Envoy's admin interface takes this long at most; a config dump of many sites is
/// large.
const ADMIN_TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub struct Envoy {
    pub settings: EnvoySettings,
    pub service: Service,
    http: reqwest::Client,
}

impl Envoy {
    /// Writes the configuration and the log of this Envoy under `dir`; starts nothing yet.
    ///
    /// Its service counts as ready when `/ready` on the admin port says so, which is when
    /// xds-server has answered: an Envoy that starts first is launched with [`Service::launch`] and
    /// waits.
    pub fn new(binary: &Path, dir: &Path, settings: EnvoySettings) -> Result<Envoy> {
        let config = bootstrap::of(&settings)?;
        Envoy::with(binary, dir, settings, &config)
    }

    /// Like [`Envoy::new`], but it stays with an xds-server that does not answer for a while. If
    /// there is no other one, leaving it brings nothing, and on a busy machine a health check may
    /// take seconds.
    pub fn patient(binary: &Path, dir: &Path, settings: EnvoySettings) -> Result<Envoy> {
        let mut config = bootstrap::of(&settings)?;
        bootstrap::replace(&mut config, [(HEALTH_THRESHOLD, PATIENT_THRESHOLD.into())])?;
        Envoy::with(binary, dir, settings, &config)
    }

    /// Like [`Envoy::new`], but from this bootstrap, which has to say what the settings say.
    pub fn from_bootstrap(
        binary: &Path,
        dir: &Path,
        settings: EnvoySettings,
        yaml: &str,
    ) -> Result<Envoy> {
        let config = serde_saphyr::from_str(yaml).context("the bootstrap is not YAML")?;
        Envoy::with(binary, dir, settings, &config)
    }

    /// Like [`Envoy::new`], but from `envoy/standalone.yaml`: with a listener and routes of its
    /// own, to this upstream.
    pub fn standalone(
        binary: &Path,
        dir: &Path,
        settings: EnvoySettings,
        upstream: SocketAddr,
    ) -> Result<Envoy> {
        let config =
            adapted("envoy/standalone.yaml", |yaml| standalone::adapt(yaml, &settings, upstream))?;
        Envoy::with(binary, dir, settings, &config)
    }

    fn with(binary: &Path, dir: &Path, settings: EnvoySettings, config: &Value) -> Result<Envoy> {
        fs::create_dir_all(dir)?;
        let config_file = dir.join(format!("{}.json", settings.node_id));
        fs::write(&config_file, serde_json::to_vec_pretty(config)?)?;
        let launch = Launch::new(binary, dir.join(format!("{}.log", settings.node_id)))
            .args(["--config-path".into(), config_file.into_os_string()])
            .args(["--concurrency", &settings.concurrency.to_string()])
            // Several Envoys share this machine: no shared memory region, unless an Envoy hands
            // over to a successor.
            .args([hot_restart::NO_SUCCESSOR, "--log-level", "info"])
            // Envoy keeps access logs back for 10 s otherwise: on this machine somebody reads
            // along.
            .args(["--file-flush-interval-msec", "200"])
            // Old listeners and TLS contexts stay in memory until the drain time is over (default:
            // 600 s).
            .args(["--drain-time-s", "2", "--parent-shutdown-time-s", "3"]);
        let ready = Ready::Http(format!("http://{}/ready", settings.admin));
        let service = Service::new(format!("Envoy {}", settings.node_id), launch, ready);
        let http = reqwest::Client::builder().no_proxy().timeout(ADMIN_TIMEOUT).build()?;
        Ok(Envoy { settings, service, http })
    }

    /// `http://<gateway address>`.
    pub fn gateway_url(&self) -> String {
        format!("http://{}", self.settings.gateway)
    }

    pub fn admin_url(&self) -> String {
        format!("http://{}", self.settings.admin)
    }

    /// `/config_dump` with EDS included. Note that Envoy leaves out on-demand routes that it has
    /// not been asked for.
    pub async fn config_dump(&self) -> Result<Value> {
        Ok(self.get("/config_dump?include_eds").await?.json().await?)
    }

    /// The value of one counter or gauge; `None` when Envoy has not made it (yet).
    pub async fn stat(&self, name: &str) -> Result<Option<u64>> {
        let text = self.get("/stats?usedonly=false").await?.text().await?;
        Ok(text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")?.parse().ok()))
    }

    /// All counters and gauges whose name contains `part`.
    pub async fn stats(&self, part: &str) -> Result<Vec<(String, u64)>> {
        let text = self.get("/stats").await?.text().await?;
        let pairs = text.lines().filter(|line| line.contains(part)).filter_map(|line| {
            let (name, value) = line.split_once(": ")?;
            Some((name.to_owned(), value.parse().ok()?))
        });
        Ok(pairs.collect())
    }

    async fn get(&self, path: &str) -> Result<reqwest::Response> {
        let url = format!("{}{path}", self.admin_url());
        Ok(self.http.get(url).send().await?.error_for_status()?)
    }
}

/// A file of the repository, adapted to this machine.
fn adapted(file: &str, adapt: impl FnOnce(&str) -> Result<Value>) -> Result<Value> {
    let path = crate::workspace_root().join(file);
    let yaml = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    adapt(&yaml).with_context(|| format!("adapting {}", path.display()))
}
