//! Putting a [`Stack`] together, part by part.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::admin_api::AdminApi;
use crate::build::{self, ADMIN, Artifacts, XDS};
use crate::control::Files;
use crate::envoy::{self, Edge, Envoy, EnvoySettings};
use crate::postgres::Group;
use crate::testing::{Replica, Stack, database, new_cluster};
use crate::{control, ports, secret, workspace_root};

/// A request of a test through the gateway; longer than any timeout that a test sets on an
/// upstream.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug, Clone)]
pub struct Builder {
    name: String,
    envoys: usize,
    replicas: usize,
    state_on_disk: bool,
    hot_restart: bool,
    own_postgres: bool,
    start_xds: bool,
    launch_envoys: bool,
    concurrency: u32,
    mirror: bool,
    edges: Vec<Edge>,
    artifacts: Option<Artifacts>,
    module: Option<PathBuf>,
    xds_env: Vec<(String, String)>,
    admin_env: Vec<(String, String)>,
}

impl Builder {
    pub(super) fn new(name: &str) -> Builder {
        Builder {
            name: name.to_owned(),
            envoys: 1,
            replicas: 1,
            state_on_disk: false,
            hot_restart: false,
            own_postgres: false,
            start_xds: true,
            launch_envoys: true,
            concurrency: 2,
            mirror: true,
            edges: Vec::new(),
            artifacts: None,
            module: None,
            xds_env: Vec::new(),
            admin_env: Vec::new(),
        }
    }

    /// Sets the number of Envoys; 1 by default.
    pub fn envoys(mut self, count: usize) -> Builder {
        self.envoys = count;
        self
    }

    /// Sets the number of xds-servers; 1 by default. Each Envoy begins with another of them.
    pub fn replicas(mut self, count: usize) -> Builder {
        self.replicas = count;
        self
    }

    /// xds-servers that keep their last good state on disk.
    pub fn state_on_disk(mut self) -> Builder {
        self.state_on_disk = true;
        self
    }

    /// Envoys that can hand over to successors ([`Envoy::hot_restart`]).
    pub fn hot_restart(mut self) -> Builder {
        self.hot_restart = true;
        self
    }

    /// One Envoy in each of these cells, in this order. Nothing makes the cells.
    pub fn cells(self, cells: &[&str]) -> Builder {
        let edge = |cell: &&str| Edge { cell: Some((*cell).to_owned()), ..Edge::default() };
        let edges: Vec<_> = cells.iter().map(edge).collect();
        self.envoys(edges.len()).edges(&edges)
    }

    /// A PostgreSQL server for this test alone, so that it may be killed.
    pub fn own_postgres(mut self) -> Builder {
        self.own_postgres = true;
        self
    }

    /// Leaves xds-server to the test: Envoys start, and are not waited for.
    pub fn without_xds(mut self) -> Builder {
        self.start_xds = false;
        self
    }

    /// Leaves xds-server and the Envoys to the caller: nothing of them is started.
    pub fn without_xds_and_envoys(mut self) -> Builder {
        (self.start_xds, self.launch_envoys) = (false, false);
        self
    }

    /// Envoys whose filter never hears of anything.
    pub fn without_mirror(mut self) -> Builder {
        self.mirror = false;
        self
    }

    /// A setting of xds-server, by its environment variable.
    pub fn xds_env(mut self, name: &str, value: &str) -> Builder {
        self.xds_env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A setting of the admin service, by its environment variable.
    pub fn admin_env(mut self, name: &str, value: &str) -> Builder {
        self.admin_env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Worker threads of each Envoy; 2 unless told.
    pub fn concurrency(mut self, workers: u32) -> Builder {
        self.concurrency = workers;
        self
    }

    /// Sets the wishes of the Envoys, in their order. An Envoy without one has the default.
    pub fn edges(mut self, edges: &[Edge]) -> Builder {
        self.edges = edges.to_vec();
        self
    }

    /// Programs other than those that `cargo xtask test` has built.
    pub fn artifacts(mut self, artifacts: &Artifacts) -> Builder {
        self.artifacts = Some(artifacts.clone());
        self
    }

    /// Another module for the Envoys, by its absolute path.
    pub fn module(mut self, path: PathBuf) -> Builder {
        self.module = Some(path);
        self
    }

    pub async fn start(self) -> Result<Stack> {
        let mut artifacts = self.artifacts.clone().map_or_else(Artifacts::from_env, Ok)?;
        if let Some(module) = &self.module {
            artifacts.wasm.clone_from(module);
        }
        let dir = self.fresh_dir()?;
        let postgres = match self.own_postgres {
            true => {
                Some(new_cluster(&dir.file_name().unwrap_or_default().to_string_lossy()).await?)
            }
            false => None,
        };
        let server = match &postgres {
            Some(cluster) => cluster.server(),
            None => database::shared_server().await?,
        };
        let database = database::fresh(&server).await?;

        let admin_login = database.login(Group::Admin, &secret::password()).await?;
        let (listen, files) = (ports::free(), control::Files::in_folder(&dir)?);
        let mut admin = control::admin(
            &artifacts,
            &admin_login,
            listen,
            &files,
            dir.join(format!("{ADMIN}.log")),
        );
        for (name, value) in &self.admin_env {
            admin.launch = admin.launch.env(name, value);
        }
        admin.start().await?;
        let token = fs::read_to_string(&files.operator_token)
            .context("tenantry-admin has written no operator token")?;
        let api = AdminApi::new(format!("http://{listen}"), token)?;

        let xds_login = database.login(Group::Xds, &secret::password()).await?;
        let mut replicas = Vec::with_capacity(self.replicas);
        for index in 0..self.replicas {
            let mut replica = self.xds_server(index, &artifacts, &xds_login, &files, &dir);
            if self.start_xds {
                replica.service.start().await?;
            }
            replicas.push(replica);
        }
        let envoys = self.start_envoys(&replicas, &artifacts, &dir).await?;
        let http = reqwest::Client::builder().no_proxy().timeout(REQUEST_TIMEOUT).build()?;
        let Replica { service: xds, grpc: xds_addr, http: xds_http } = replicas.remove(0);
        let (allowed, finished) = (Vec::new(), false);
        Ok(Stack {
            admin,
            xds,
            xds_addr,
            xds_http,
            replicas,
            envoys,
            api,
            database,
            postgres,
            server,
            http,
            dir,
            allowed,
            finished,
        })
    }

    /// Starts the Envoys; they are ready if there is an xds-server.
    async fn start_envoys(
        &self,
        replicas: &[Replica],
        artifacts: &Artifacts,
        dir: &Path,
    ) -> Result<Vec<Envoy>> {
        let binary = envoy::ensure_installed(&workspace_root().join(".tenantry/tools"))?;
        let mut envoys = Vec::with_capacity(self.envoys);
        for index in 0..self.envoys {
            let settings = EnvoySettings {
                node_id: format!("edge-{index}"),
                gateway: ports::free(),
                admin: ports::free(),
                xds: replicas[index % replicas.len()].grpc,
                xds_replicas: (1..replicas.len())
                    .map(|next| replicas[(index + next) % replicas.len()].grpc)
                    .collect(),
                wasm: artifacts.wasm.clone(),
                concurrency: self.concurrency,
                mirror: self.mirror,
                edge: self.edges.get(index).cloned().unwrap_or_default(),
            };
            let mut envoy = match self.replicas {
                1 => Envoy::patient(&binary, dir, settings)?,
                _ => Envoy::new(&binary, dir, settings)?,
            };
            if self.hot_restart {
                envoy.allow_hot_restart();
            }
            if self.launch_envoys {
                envoy.service.launch()?;
            }
            envoys.push(envoy);
        }
        if self.start_xds {
            for envoy in &envoys {
                envoy.service.wait_ready().await?;
            }
        }
        Ok(envoys)
    }

    fn xds_server(
        &self,
        index: usize,
        artifacts: &Artifacts,
        login: &str,
        files: &Files,
        dir: &Path,
    ) -> Replica {
        let (grpc, http) = (ports::free(), ports::free());
        let name = if index == 0 { XDS.to_owned() } else { format!("{XDS}-{index}") };
        let log = dir.join(format!("{name}.log"));
        let mut service = control::xds_server(artifacts, login, grpc, http, files, log);
        if self.state_on_disk {
            let state = dir.join(format!("{name}-state"));
            service.launch = service.launch.args([Path::new("--state-dir"), &state]);
        }
        service.name = name;
        for (name, value) in &self.xds_env {
            service.launch = service.launch.env(name, value);
        }
        Replica { service, grpc, http }
    }

    fn fresh_dir(&self) -> Result<PathBuf> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = build::target_dir().join("stack").join(format!(
            "{}-{}-{next}",
            self.name,
            std::process::id()
        ));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).with_context(|| format!("creating {}", dir.display()))?;
        Ok(dir)
    }
}
