//! The output of `up`: `.tenantry/up.json` for programs, a short screen for people.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use stack::control::BASE_DOMAIN;
use stack::provision::Published;

use crate::up::deployment::Deployment;
use crate::up::home::Home;
use crate::up::ports::Ports;

/// Written when everything serves, and removed when it stops; mode 0600, because it holds
/// credentials.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct UpJson {
    gateway_http: String,
    gateway_port: u16,
    admin: String,
    envoy_admin: String,
    xds_grpc: String,
    /// An upstream that answers with what it gets.
    echo_address: IpAddr,
    echo_port: u16,
    /// As the role that owns the database.
    database_url: String,
    operator_token: String,
    demo: Vec<DemoTenant>,
}

#[derive(Debug, Serialize, Deserialize)]
struct DemoTenant {
    tenant_id: String,
    site_id: String,
    hostname: String,
    api_key: String,
    path: String,
}

impl UpJson {
    pub(super) fn new(deployment: &Deployment<'_>, demo: Vec<Published>) -> UpJson {
        let ports = deployment.ports();
        let [echo, _] = ports.upstreams;
        UpJson {
            gateway_http: format!("http://{}", ports.gateway),
            gateway_port: ports.gateway.port(),
            admin: format!("http://{}", ports.admin),
            envoy_admin: format!("http://{}", ports.envoy_admin),
            xds_grpc: format!("http://{}", ports.xds_grpc),
            echo_address: echo.ip(),
            echo_port: echo.port(),
            database_url: deployment.database_url.clone(),
            operator_token: deployment.operator_token.clone(),
            demo: demo.into_iter().map(DemoTenant::from).collect(),
        }
    }
}

impl From<Published> for DemoTenant {
    fn from(site: Published) -> DemoTenant {
        let Published { tenant_id, site_id, hostname, api_key, path, .. } = site;
        DemoTenant { tenant_id, site_id, hostname, api_key, path }
    }
}

pub(super) struct Screen<'a> {
    pub(super) up: &'a UpJson,
    pub(super) ports: &'a Ports,
    pub(super) home: &'a Home,
    pub(super) detached: bool,
}

impl fmt::Display for Screen<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Screen { up, ports, home, detached } = self;
        writeln!(f, "\nTenantry is up.\n")?;
        writeln!(f, "  gateway (Envoy)  {}", up.gateway_http)?;
        writeln!(f, "  admin API        {0}   documentation: {0}/docs", up.admin)?;
        writeln!(
            f,
            "  tenantry-xds     {}   metrics: http://{}/metrics",
            ports.xds_grpc, ports.xds_http
        )?;
        writeln!(f, "  Envoy's admin    {}", up.envoy_admin)?;
        writeln!(f, "  database, operator token: {}", home.up_json().display())?;
        writeln!(f, "  logs:                     {}\n", home.logs().display())?;
        if let [acme, globex] = up.demo.as_slice() {
            writeln!(
                f,
                "Two tenants publish the same API, each on an upstream of its own. Try:\n"
            )?;
            let shared = format!("api.{BASE_DOMAIN}");
            let mut try_it = |what: &str, host: &str, key: Option<&str>| -> fmt::Result {
                let key = key
                    .map_or_else(String::new, |key| format!(" -H \"Authorization: Bearer {key}\""));
                writeln!(
                    f,
                    "# {what}\ncurl -i -H \"Host: {host}\"{key} {}{}\n",
                    up.gateway_http, acme.path
                )
            };
            try_it("Acme's key on Acme's host: 200", &acme.hostname, Some(&acme.api_key))?;
            try_it("no key: 403", &acme.hostname, None)?;
            try_it("a wrong key: 403", &acme.hostname, Some("wrong"))?;
            try_it("Globex's key on Acme's host: 403", &acme.hostname, Some(&globex.api_key))?;
            try_it(
                "the shared host, where the key alone says whose API it is: 200",
                &shared,
                Some(&globex.api_key),
            )?;
        }
        match detached {
            true => writeln!(f, "It runs in the background: `cargo xtask down` stops it."),
            false => writeln!(f, "Ctrl-C stops everything."),
        }
    }
}
