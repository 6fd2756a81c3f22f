//! The parts of one deployment, in the order in which they start; they stop in reverse.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use stack::admin_api::AdminApi;
use stack::envoy::{Edge, Envoy, EnvoySettings};
use stack::postgres::{Database, Group};
use stack::process::Launch;
use stack::provision::Published;
use stack::service::{Ready, Service};
use stack::{build, control, secret};

use crate::up::home::Home;
use crate::up::ports::Ports;
use crate::up::{Tools, database, demo};

#[derive(Debug)]
pub(super) struct Deployment<'a> {
    home: &'a Home,
    ports: Ports,
    tools: Tools,
    services: Vec<Service>,
    pub(super) database_url: String,
    pub(super) operator_token: String,
}

impl<'a> Deployment<'a> {
    pub(super) fn new(home: &'a Home, ports: Ports, tools: Tools) -> Deployment<'a> {
        let (database_url, operator_token) = (String::new(), String::new());
        Deployment { home, ports, tools, services: Vec::new(), database_url, operator_token }
    }

    pub(super) fn ports(&self) -> &Ports {
        &self.ports
    }

    /// Starts all parts, provisions the demo and waits until its requests get through.
    pub(super) async fn start(&mut self) -> Result<Vec<Published>> {
        let _ = fs::remove_dir_all(self.home.logs());
        let database = self.start_database().await?;
        self.database_url = database.owner_url();
        step("Migrating the database");
        control::migrate(
            &self.tools.artifacts,
            &database.owner_url(),
            &self.home.part_log("migrate"),
        )
        .await?;
        let kept = self.home.database(&database.identity().await?)?;

        let files = control::Files::in_folder(&kept)?;
        let login = database.login(Group::Admin, &secret::password()).await?;
        let log = self.home.part_log(build::ADMIN);
        self.run(control::admin(&self.tools.artifacts, &login, self.ports.admin, &files, log))
            .await?;
        self.operator_token = read_token(&files.operator_token)?;

        self.run(self.upstreams()?).await?;
        let login = database.login(Group::Xds, &secret::password()).await?;
        let (grpc, http, log) =
            (self.ports.xds_grpc, self.ports.xds_http, self.home.part_log(build::XDS));
        self.run(control::xds_server(&self.tools.artifacts, &login, grpc, http, &files, log))
            .await?;
        self.run(self.envoy()?.service).await?;

        step("Provisioning two demo tenants through the admin API");
        let api = AdminApi::new(format!("http://{}", self.ports.admin), &self.operator_token)?;
        let demo = demo::provision(&api, &self.ports, &kept.join("demo.json")).await?;
        demo::wait_until_served(&self.ports, &demo).await.with_context(|| {
            format!(
                "the gateway does not serve the demo; the logs are in {}",
                self.home.logs().display()
            )
        })?;
        Ok(demo)
    }

    async fn start_database(&mut self) -> Result<Database> {
        match (&self.tools.postgres, database::from_env()) {
            (Some(binaries), _) => {
                step("Starting PostgreSQL");
                let (service, database) =
                    database::start_private(self.home, binaries, self.ports.postgres).await?;
                self.services.push(service);
                Ok(database)
            }
            (None, Some(url)) => {
                step("Using the database of DATABASE_URL");
                Database::from_url(&url)
            }
            (None, None) => bail!("there is neither a PostgreSQL to start nor DATABASE_URL"),
        }
    }

    fn upstreams(&self) -> Result<Service> {
        let [first, second] = self.ports.upstreams;
        let listeners = [format!("acme-upstream={first}"), format!("globex-upstream={second}")];
        let launch = Launch::new(std::env::current_exe()?, self.home.part_log("upstreams"))
            .args(["echo".to_owned()])
            .args(listeners.map(|listener| format!("--listen={listener}")));
        Ok(Service::new("the demo upstreams", launch, Ready::Http(format!("http://{second}/"))))
    }

    fn envoy(&self) -> Result<Envoy> {
        let settings = EnvoySettings {
            node_id: "edge-1".to_owned(),
            gateway: self.ports.gateway,
            admin: self.ports.envoy_admin,
            xds: self.ports.xds_grpc,
            xds_replicas: Vec::new(),
            wasm: self.tools.artifacts.wasm.clone(),
            concurrency: 2,
            mirror: true,
            edge: Edge::default(),
        };
        Envoy::new(&self.tools.envoy, &self.home.logs(), settings)
    }

    /// Kept from the moment it is launched, so that [`Deployment::stop`] finds it even if it never
    /// gets ready.
    async fn run(&mut self, mut service: Service) -> Result<()> {
        step(&format!("Starting {}", service.name));
        service.launch()?;
        self.services.push(service);
        match self.services.last() {
            Some(service) => service.wait_ready().await,
            None => Ok(()),
        }
    }

    /// Names the part that has ended by itself, its status, and the end of its log.
    pub(super) fn dead(&self) -> Option<String> {
        let dead = self.services.iter().find(|service| !service.is_running())?;
        let status = dead.exited().map_or_else(String::new, |status| format!(" with {status}"));
        Some(format!("{} ended{status}\n{}", dead.name, dead.tail()))
    }

    pub(super) async fn stop(&mut self) -> Result<()> {
        let mut outcome = Ok(());
        while let Some(mut service) = self.services.pop() {
            if service.is_running() {
                step(&format!("Stopping {}", service.name));
            }
            outcome = outcome.and(service.stop().await);
        }
        outcome
    }
}

fn read_token(file: &PathBuf) -> Result<String> {
    let token = fs::read_to_string(file).unwrap_or_default();
    ensure!(
        !token.trim().is_empty(),
        "this database has an operator token already, and {} does not hold it: write it there, or \
         use another database",
        file.display()
    );
    Ok(token.trim().to_owned())
}

fn step(text: &str) {
    eprintln!("{text}");
}
