//! `xds-server bootstrap`: the bootstrap of an Envoy, ready to be started.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use envoy_bootstrap::{BootstrapError, ClientTls, Settings};
use policy::cell::CellName;
use thiserror::Error;

/// The flags of `bootstrap`.
#[derive(Clone, Debug, Args)]
pub struct Bootstrap {
    /// The cell that the Envoy is of.
    #[arg(long, env = "TENANTRY_CELL", default_value = "default")]
    pub cell: CellName,
    /// Its own name: one for each Envoy. Logs, status and `check` name it by that.
    #[arg(long, env = "TENANTRY_NODE_ID")]
    pub node_id: String,
    /// The address for API clients.
    #[arg(long, env = "TENANTRY_GATEWAY", default_value = "0.0.0.0:10080")]
    pub gateway: SocketAddr,
    /// The address of Envoy's admin interface. Everybody who reaches it can stop Envoy.
    #[arg(long, env = "TENANTRY_ENVOY_ADMIN", default_value = "127.0.0.1:10091")]
    pub admin: SocketAddr,
    /// A replica of xds-server, as `<host>:<port>`; repeat it, or join several by commas, in the
    /// order in which the Envoy goes to them.
    #[arg(
        long,
        env = "TENANTRY_XDS",
        value_delimiter = ',',
        default_value = "127.0.0.1:18000",
        value_parser = host_and_port
    )]
    pub xds: Vec<(String, u16)>,
    /// The path of `tenantry_filter.wasm` on the Envoy's machine.
    #[arg(long, env = "TENANTRY_MODULE", default_value = "/etc/tenantry/tenantry_filter.wasm")]
    pub module: PathBuf,
    /// The number of proxies in front of it that append to `X-Forwarded-For`. If there are fewer,
    /// clients choose their address.
    #[arg(
        long,
        env = "TENANTRY_TRUSTED_HOPS",
        default_value_t = 0,
        value_parser = clap::value_parser!(u32).range(..=16)
    )]
    pub trusted_hops: u32,
    /// The number of requests in one worker from which on tenants are held to their share; 8192
    /// unless set.
    #[arg(
        long,
        env = "TENANTRY_SHED_ABOVE",
        value_parser = clap::value_parser!(u32).range(1..=1_000_000)
    )]
    pub shed_above: Option<u32>,
    /// The heap in bytes at which it begins to shed: about 80 % of the memory that it may have; 2
    /// GiB unless set.
    #[arg(long, env = "TENANTRY_MAX_HEAP_BYTES")]
    pub max_heap_bytes: Option<u64>,
    /// The Envoy's certificate, on its machine, in PEM: with it and the three that follow it
    /// connects by mutual TLS.
    #[arg(
        long,
        env = "TENANTRY_CLIENT_CERT",
        requires_all = ["client_key", "server_ca", "server_name"]
    )]
    pub client_cert: Option<PathBuf>,
    /// The private key of that.
    #[arg(long, env = "TENANTRY_CLIENT_KEY", requires = "client_cert")]
    pub client_key: Option<PathBuf>,
    /// The certificates of the authority of xds-server.
    #[arg(long, env = "TENANTRY_SERVER_CA", requires = "client_cert")]
    pub server_ca: Option<PathBuf>,
    /// The DNS name in the certificate of xds-server.
    #[arg(long, env = "TENANTRY_SERVER_NAME", requires = "client_cert")]
    pub server_name: Option<String>,
}

/// Why nothing was printed.
#[derive(Debug, Error)]
pub enum PrintError {
    /// There is no bootstrap with these settings.
    #[error(transparent)]
    Bootstrap(#[from] BootstrapError),
    /// It could not be written as YAML.
    #[error("writing YAML")]
    Yaml(#[from] serde_saphyr::ser::Error),
}

/// The YAML.
///
/// # Errors
/// Fails when a path is not text.
pub fn run(flags: &Bootstrap) -> Result<String, PrintError> {
    let tls = flags.client_cert.clone().zip(flags.client_key.clone());
    let tls = tls.zip(flags.server_ca.clone().zip(flags.server_name.clone()));
    let tls = tls.map(|((certificate, key), (authority, server_name))| ClientTls {
        certificate,
        key,
        authority,
        server_name,
    });
    let config = envoy_bootstrap::bootstrap(&Settings {
        node_id: flags.node_id.clone(),
        cell: flags.cell.to_string(),
        gateway: flags.gateway,
        trusted_hops: flags.trusted_hops,
        shed_above: flags.shed_above,
        admin: flags.admin,
        xds: flags.xds.clone(),
        module: flags.module.clone(),
        tls,
        max_heap_bytes: flags.max_heap_bytes,
    })?;
    let head = "# Made by `tenantry-xds bootstrap`. envoy/bootstrap.yaml has the same with the \
        reason for each setting.\n";
    Ok(format!("{head}{}", serde_saphyr::to_string(&config)?))
}

fn host_and_port(text: &str) -> Result<(String, u16), &'static str> {
    let wanted = "want <host>:<port>, such as xds.internal:18000 or [2001:db8::1]:18000";
    let (host, port) = text.rsplit_once(':').ok_or(wanted)?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let port = port.parse().ok().filter(|port| *port > 0).ok_or(wanted)?;
    if host.is_empty() { Err(wanted) } else { Ok((host.to_owned(), port)) }
}

#[cfg(test)]
mod tests {
    use super::host_and_port;

    #[test]
    fn a_replica_is_a_host_and_a_port() {
        let parsed = |text| host_and_port(text).ok();
        assert_eq!(parsed("xds:18000"), Some(("xds".to_owned(), 18_000)));
        assert_eq!(parsed("[2001:db8::1]:1"), Some(("2001:db8::1".to_owned(), 1)));
        for wrong in ["xds", ":1", "xds:0", "xds:x", "xds:70000", ""] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }
}
