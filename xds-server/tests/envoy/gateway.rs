//! The server and an Envoy that is connected to it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use policy::cell::CellName;
use policy::desired::DesiredSite;
use serde_json::{Value, json};
use stack::ports;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use xds_server::cells::{Cells, Group};
use xds_server::grpc::Observers;
use xds_server::snapshot::Owner;
use xds_server::{grpc, translate, usage};

use crate::fixture::site_id;
use crate::http::{self, Answer};

/// The smallest module that Envoy accepts as a filter; it lets everything pass.
pub(crate) const EMPTY_FILTER: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "proxy_on_memory_allocate") (param i32) (result i32) i32.const 1024))"#;

/// The same module, except that it marks every request as refused, as the filter marks a refused
/// one.
pub(crate) const SAYING_FILTER: &str = r#"(module
    (import "env" "proxy_set_property" (func $set (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "tenantry_refusal")
    (data (i32.const 32) "rate_limited")
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "proxy_on_memory_allocate") (param i32) (result i32) i32.const 1024)
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (drop (call $set (i32.const 0) (i32.const 16) (i32.const 32) (i32.const 12)))
        i32.const 0))"#;

/// The time that a step may take which should happen soon.
const PATIENCE: Duration = Duration::from_secs(60);

/// The server's side of a gateway, which can be stopped and started.
pub(crate) struct Server {
    pub(crate) cells: Arc<Cells>,
    address: SocketAddr,
    running: Option<(watch::Sender<bool>, JoinHandle<()>)>,
}

impl Server {
    /// A server with these sites.
    pub(crate) async fn start(sites: &[DesiredSite]) -> Self {
        let cells = Arc::new(Cells::default());
        cells.set_existing(BTreeSet::from([CellName::default()]));
        let mut server = Self { cells, address: ports::free(), running: None };
        server.apply(sites);
        server.cells.set_loaded();
        server.resume().await;
        server
    }

    /// Replaces the resources of these sites.
    pub(crate) fn apply(&self, sites: &[DesiredSite]) {
        let placement = Arc::new(BTreeSet::from([CellName::default()]));
        let group = |site: &DesiredSite| {
            let resources = translate::site(site).expect("a site that is right");
            Group::same(Owner::Site(site.site), Arc::clone(&placement), resources)
        };
        self.cells.apply(sites.iter().map(group).collect());
    }

    /// Removes a site.
    pub(crate) fn remove(&self, site: &DesiredSite) {
        self.cells.apply(vec![Group::gone(Owner::Site(site.site))]);
    }

    /// Marks these sites, and no others, as used since the last time.
    pub(crate) fn used(&self, numbers: &[u128]) {
        let used = Arc::new(numbers.iter().map(|number| site_id(*number)).collect());
        for (_, hub) in self.cells.hubs() {
            hub.used(Arc::clone(&used));
        }
    }

    pub(crate) async fn stop(&mut self) {
        if let Some((stop, task)) = self.running.take() {
            stop.send_replace(true);
            task.await.expect("the server stops cleanly");
        }
    }

    pub(crate) async fn resume(&mut self) {
        let (stop, stopped) = watch::channel(false);
        let listener =
            TcpListener::bind(self.address).await.expect("the port of the server is free again");
        // There is no PostgreSQL here, so nobody writes the reports.
        let (reports, _) = usage::channel();
        let serving = grpc::serve(
            listener,
            Arc::clone(&self.cells),
            Observers::default(),
            reports,
            None,
            stopped,
        );
        let task = tokio::spawn(async { serving.await.expect("the server serves") });
        self.running = Some((stop, task));
    }
}

/// An Envoy, which ends when this is dropped.
pub(crate) struct Envoy {
    process: Child,
    dir: TempDir,
    pub(crate) http: SocketAddr,
    admin: SocketAddr,
}

impl Envoy {
    /// Starts an Envoy and waits until its listener is open.
    pub(crate) async fn start(server: &Server) -> Self {
        Self::start_with(server, EMPTY_FILTER, json!({})).await
    }

    /// As [`Self::start`], with this module, in text form, as the filter, and these settings of the
    /// listener in its Node's metadata.
    pub(crate) async fn start_with(server: &Server, filter: &str, http: Value) -> Self {
        let envoy = Self::launch(server, "DELTA_GRPC", filter, http).await;
        until("the listener opens", async || {
            envoy.stat("listener_manager.listener_create_success").await == 1
        })
        .await;
        envoy
    }

    /// Starts an Envoy, and does not wait for it.
    pub(crate) async fn spawn(server: &Server, api_type: &str) -> Self {
        Self::launch(server, api_type, EMPTY_FILTER, json!({})).await
    }

    async fn launch(
        server: &Server,
        api_type: &str,
        module: &str,
        mut http_setting: Value,
    ) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let (http, admin) = (ports::free(), ports::free());
        let filter = dir.path().join("filter.wasm");
        let module = wat::parse_str(module).expect("a module in text form");
        std::fs::write(&filter, module).expect("a file in a new directory");
        let filter = json!({"path": filter});
        http_setting["address"] = json!("127.0.0.1");
        http_setting["port"] = json!(http.port());
        let retry = json!({"retry_back_off": {"base_interval": "0.1s", "max_interval": "0.5s"}});
        let bootstrap = json!({
            "node": {"id": "edge-1", "cluster": "default",
                "metadata": {"tenantry": {"http": http_setting, "filter": filter}}},
            "admin": {"address": socket(admin)},
            "dynamic_resources": {
                "ads_config": {
                    "api_type": api_type,
                    "transport_api_version": "V3",
                    "grpc_services": [{"envoy_grpc": {"cluster_name": "xds",
                        "retry_policy": retry}}],
                },
                "lds_config": {"ads": {}, "resource_api_version": "V3"},
                "cds_config": {"ads": {}, "resource_api_version": "V3"},
            },
            "static_resources": {"clusters": [xds_cluster(server.address)]},
        });
        let config = dir.path().join("bootstrap.json");
        std::fs::write(&config, bootstrap.to_string()).expect("a file in a new directory");
        let log =
            std::fs::File::create(dir.path().join("envoy.log")).expect("a file in a new directory");
        let process =
            Command::new(std::env::var_os("ENVOY_BIN").map_or("envoy".into(), PathBuf::from))
                .arg("--config-path")
                .arg(config)
                .args([
                    "--use-dynamic-base-id",
                    "--concurrency",
                    "1",
                    "--log-level",
                    "warning",
                    "--drain-time-s",
                    "1",
                    "--file-flush-interval-msec",
                    "50",
                ])
                .args(["--component-log-level", "config:info,upstream:info"])
                .stdout(log.try_clone().expect("a log file"))
                .stderr(log)
                .stdin(Stdio::null())
                .spawn()
                .expect("Envoy starts: set ENVOY_BIN to an Envoy 1.40, or put an `envoy` on PATH");
        Self { process, dir, http, admin }
    }

    pub(crate) async fn get(&self, site: u128, route: u128, path: &str) -> Answer {
        http::get(self.http, site, route, path).await
    }

    /// The sum of all statistics with this name or prefix; 0 while Envoy is not there.
    pub(crate) async fn stat(&self, name: &str) -> u64 {
        let stats = self.stats().await;
        stats.iter().filter(|(stat, _)| stat.starts_with(name)).map(|(_, value)| value).sum()
    }

    /// The sum of all statistics with names that end so.
    pub(crate) async fn stat_ending(&self, end: &str) -> u64 {
        let stats = self.stats().await;
        stats.iter().filter(|(stat, _)| stat.ends_with(end)).map(|(_, value)| value).sum()
    }

    async fn stats(&self) -> BTreeMap<String, u64> {
        let text = self.admin("/stats").await;
        let stats = text.lines().filter_map(|line| line.split_once(": "));
        stats.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect()
    }

    /// The names of all clusters that are in use.
    pub(crate) async fn clusters(&self) -> Vec<String> {
        let dump: Value = serde_json::from_str(
            &self.admin("/config_dump?resource=dynamic_active_clusters").await,
        )
        .unwrap_or_default();
        let configs = dump["configs"].as_array().cloned().unwrap_or_default();
        configs
            .iter()
            .filter_map(|config| config["cluster"]["name"].as_str().map(str::to_owned))
            .collect()
    }

    pub(crate) async fn admin(&self, path: &str) -> String {
        if tokio::net::TcpStream::connect(self.admin).await.is_err() {
            return String::new();
        }
        let request = format!("GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n");
        http::send(self.admin, request.as_bytes()).await.body
    }

    /// Envoy's output so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("envoy.log")).unwrap_or_default()
    }

    /// The access log's entry of the request with this path, once it is written.
    pub(crate) async fn logged(&self, path: &str) -> Value {
        let find = || {
            let log = self.log();
            let mut entries =
                log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            entries.find(|entry| entry["path"] == path)
        };
        until(&format!("{path} is logged"), async || find().is_some()).await;
        find().expect("it was there")
    }

    /// Asserts that nothing that was sent was refused. Every test ends with this.
    pub(crate) async fn refused_nothing(&self) {
        let refused = self.stat_ending("update_rejected").await;
        assert_eq!(refused, 0, "Envoy refused an update:\n{}", self.log());
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("--- Envoy's log ---\n{}", self.log());
        }
    }
}

fn xds_cluster(address: SocketAddr) -> Value {
    let http2 = json!({"explicit_http_config": {"http2_protocol_options": {}},
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"});
    json!({
        "name": "xds",
        "type": "STATIC",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": {
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2},
        "load_assignment": {"cluster_name": "xds", "endpoints": [{"lb_endpoints": [
            {"endpoint": {"address": socket(address)}},
        ]}]},
    })
}

fn socket(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip(), "port_value": address.port()}})
}

/// Waits until a condition holds.
pub(crate) async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < PATIENCE, "still not so after {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
