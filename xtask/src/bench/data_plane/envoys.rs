//! The Envoys that are measured: all with the listener and connection manager that xds-server
//! sends, and in them each variant's own filters.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use stack::envoy::{Edge, Envoy, EnvoySettings};
use stack::ports;
use stack::process::{self, Launch};
use stack::service::{Ready, Service};

/// The configuration that xds-server sent to an Envoy; those of the other variants are made from
/// it.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    listener: Value,
    /// `envoy.extensions.filters.http.wasm.v3.Wasm`.
    filter: Value,
    /// The cluster of a site.
    cluster: Value,
}

impl Sent {
    /// Reads it out of an Envoy that has served a request.
    pub(super) async fn to(envoy: &Envoy) -> Result<Self> {
        let dump = envoy.config_dump().await?;
        let sections = dump["configs"].as_array().context("the dump has no sections")?;
        let first = |field: &str| {
            sections.iter().filter_map(|section| section[field].as_array()).flatten().next()
        };
        let listener =
            first("dynamic_listeners").map(|item| without_type(&item["active_state"]["listener"]));
        let cluster = first("dynamic_active_clusters").map(|item| without_type(&item["cluster"]));
        let listener = listener.context("Envoy has no listener")?;
        let filter =
            manager(&listener)["http_filters"][0]["config_discovery"]["default_config"].clone();
        anyhow::ensure!(filter.is_object(), "the first filter is not Tenantry's");
        Ok(Self { listener, filter, cluster: cluster.context("Envoy has no cluster of a site")? })
    }

    /// The same without access logs.
    pub(super) fn without_access_log(&self) -> Self {
        let mut quiet = self.clone();
        quiet.listener["filter_chains"][0]["filters"][0]["typed_config"]["access_log"] = json!([]);
        quiet
    }

    /// The same listener elsewhere.
    fn listener_at(&self, at: SocketAddr) -> Value {
        let mut listener = self.listener.clone();
        listener["name"] = json!(format!("bench/{}", at.port()));
        listener["address"]["socket_address"] =
            json!({ "address": at.ip().to_string(), "port_value": at.port() });
        listener
    }

    /// The same listener elsewhere, all its routes included, but without our filter.
    fn listener_without_filter(&self, at: SocketAddr) -> Value {
        let mut listener = self.listener_at(at);
        let filters =
            &mut listener["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"];
        if let Some(filters) = filters.as_array_mut() {
            filters.remove(0);
        }
        listener
    }

    /// The same listener elsewhere, with these filters before the router, and one route for
    /// everything.
    pub(super) fn listener(&self, at: SocketAddr, filters: &[Value], route: &Value) -> Value {
        let mut listener = self.listener_at(at);
        let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
        let router = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
        let mut chain = filters.to_vec();
        chain.push(json!({ "name": "router", "typed_config": { "@type": router } }));
        manager["http_filters"] = Value::Array(chain);
        if let Some(fields) = manager.as_object_mut() {
            fields.remove("scoped_routes");
        }
        let host = json!({ "name": "all", "domains": ["*"], "routes": [route] });
        manager["route_config"] = json!({ "name": "bench", "virtual_hosts": [host] });
        listener
    }

    /// The same cluster with one address that does not change.
    fn cluster(&self, name: &str, at: SocketAddr) -> Value {
        let mut cluster = self.cluster.clone();
        cluster["name"] = json!(name);
        cluster["type"] = json!("STATIC");
        if let Some(fields) = cluster.as_object_mut() {
            fields.remove("eds_cluster_config");
        }
        cluster["load_assignment"] = assignment(name, at);
        cluster
    }

    /// Tenantry's filter, from another module if one is given.
    pub(super) fn filter(&self, module: Option<&Path>) -> Value {
        let mut config = self.filter.clone();
        if let Some(module) = module {
            config["config"]["vm_config"]["code"]["local"]["filename"] = json!(module);
        }
        json!({ "name": "tenantry-filter", "typed_config": config })
    }

    /// Any other module, in a VM of its own.
    pub(super) fn wasm(&self, name: &str, module: &Path) -> Value {
        let mut filter = self.filter(Some(module));
        filter["name"] = json!(name);
        filter["typed_config"]["config"]["name"] = json!(name);
        filter["typed_config"]["config"]["root_id"] = json!(name);
        filter["typed_config"]["config"]["vm_config"]["vm_id"] = json!(name);
        filter
    }
}

/// In the dump it stands in an `Any`.
fn without_type(resource: &Value) -> Value {
    let mut resource = resource.clone();
    if let Some(fields) = resource.as_object_mut() {
        fields.remove("@type");
    }
    resource
}

fn manager(listener: &Value) -> &Value {
    &listener["filter_chains"][0]["filters"][0]["typed_config"]
}

fn assignment(name: &str, at: SocketAddr) -> Value {
    let address =
        json!({ "socket_address": { "address": at.ip().to_string(), "port_value": at.port() } });
    let endpoints = json!([{ "lb_endpoints": [{ "endpoint": { "address": address } }] }]);
    json!({ "cluster_name": name, "endpoints": endpoints })
}

/// Envoy answers itself.
pub(super) fn direct_route() -> Value {
    json!({
        "match": { "prefix": "/" },
        "direct_response": { "status": 200, "body": { "inline_string": "ok\n" } },
    })
}

/// To the upstream; `limits` are the descriptors for the `ratelimit` filter.
pub(super) fn upstream_route(limits: &Value) -> Value {
    json!({
        "match": { "prefix": "/" },
        "route": { "cluster": "upstream", "timeout": "15s", "rate_limits": limits },
    })
}

/// A running Envoy, and where it listens.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) service: Service,
    /// The listener whose routes lead to the upstream.
    pub(super) routed: SocketAddr,
    /// The listener that answers itself.
    pub(super) direct: SocketAddr,
}

impl Measured {
    pub(super) fn pid(&self) -> Result<i32> {
        self.service.pid().with_context(|| format!("{} does not run", self.service.name))
    }
}

/// A running Envoy as operators have it, with more listeners.
#[derive(Debug)]
pub(super) struct Ours {
    pub(super) envoy: Envoy,
    /// The listener with the filter, where Envoy answers by itself.
    pub(super) direct: SocketAddr,
    /// The listener without the filter, where requests carry what it would have decided.
    pub(super) decided: SocketAddr,
}

/// The addresses of all listeners.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) envoy: PathBuf,
    pub(super) folder: PathBuf,
    pub(super) upstream: SocketAddr,
    pub(super) callouts: SocketAddr,
}

/// Envoy's own log goes to a file; what it writes to standard output, the access log, to nowhere:
/// at this rate it would fill the disk.
fn quiet(mut launch: Launch, log: &Path) -> Launch {
    launch.log = "/dev/null".into();
    launch.args(["--log-path".into(), log.as_os_str().to_owned()])
}

impl Place {
    /// An Envoy without xDS: these filters in a listener of each kind.
    pub(super) async fn start_static(
        &self,
        sent: &Sent,
        name: &str,
        filters: &[Value],
        concurrency: u32,
    ) -> Result<Measured> {
        let (routed, direct, admin) = (ports::free(), ports::free(), ports::free());
        // The descriptor is of no consequence without the filter.
        let key = json!({ "header_name": "x-api-key", "descriptor_key": "key" });
        let limits = json!([{ "actions": [{ "request_headers": key }] }]);
        let config = json!({
            "node": { "id": name, "cluster": "bench" },
            "admin": { "address": { "socket_address": {
                "address": admin.ip().to_string(), "port_value": admin.port(),
            } } },
            "static_resources": {
                "listeners": [
                    sent.listener(routed, filters, &upstream_route(&limits)),
                    sent.listener(direct, filters, &direct_route()),
                ],
                "clusters": [
                    sent.cluster("upstream", self.upstream),
                    callouts_cluster(self.callouts),
                ],
            },
        });
        let file = self.folder.join(format!("{name}.json"));
        fs::write(&file, serde_json::to_vec_pretty(&config)?)?;
        let launch = Launch::new(&self.envoy, &file)
            .args(["--config-path".into(), file.into_os_string()])
            .args([
                "--concurrency",
                &concurrency.to_string(),
                "--disable-hot-restart",
                "--log-level",
                "warning",
            ]);
        let log = self.folder.join(format!("{name}.log"));
        let ready = Ready::Http(format!("http://{admin}/ready"));
        let mut service = Service::new(format!("Envoy {name}"), quiet(launch, &log), ready);
        service.start().await.with_context(|| process::tail(&log))?;
        Ok(Measured { service, routed, direct })
    }

    /// An Envoy as operators run it, fed by xds-server; with `sent`, it has the listeners of
    /// [`Ours`] besides.
    pub(super) async fn start_ours(
        &self,
        sent: Option<&Sent>,
        name: &str,
        xds: SocketAddr,
        module: &Path,
        concurrency: u32,
    ) -> Result<Ours> {
        let settings = EnvoySettings {
            node_id: name.to_owned(),
            gateway: ports::free(),
            admin: ports::free(),
            xds,
            xds_replicas: Vec::new(),
            wasm: module.to_owned(),
            concurrency,
            mirror: true,
            edge: Edge::default(),
        };
        let (direct, decided) = (ports::free(), ports::free());
        let mut envoy = Envoy::new(&self.envoy, &self.folder, settings)?;
        if let Some(sent) = sent {
            let file = self.folder.join(format!("{name}.json"));
            let mut config: Value = serde_json::from_slice(&fs::read(&file)?)?;
            let filters = [sent.filter(Some(module))];
            config["static_resources"]["listeners"] = json!([
                sent.listener(direct, &filters, &direct_route()),
                sent.listener_without_filter(decided)
            ]);
            fs::write(&file, serde_json::to_vec_pretty(&config)?)?;
        }
        let log = self.folder.join(format!("{name}.log"));
        envoy.service.launch = quiet(envoy.service.launch, &log);
        envoy.service.start().await.with_context(|| process::tail(&log))?;
        Ok(Ours { envoy, direct, decided })
    }
}

/// HTTP/2 without TLS, as call-out services are usually reached.
fn callouts_cluster(at: SocketAddr) -> Value {
    let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    json!({
        "name": "callouts",
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": assignment("callouts", at),
        "typed_extension_protocol_options": {
            options: {
                "@type": format!("type.googleapis.com/{options}"),
                "explicit_http_config": { "http2_protocol_options": {} },
            },
        },
    })
}
