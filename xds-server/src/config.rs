//! Flags and environment variables. Every flag `--some-name` has the twin `TENANTRY_SOME_NAME`.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, value_parser};
use policy::host::{BaseDomain, DEFAULT_BASE_DOMAIN};
use policy::site::EVICTED_AFTER_S;
use service::flags::{DatabaseUrl, Upstreams};
use service::logging::LogFlags;

use crate::commands::bootstrap::Bootstrap;
use crate::commands::check::Check;
use crate::commands::render::Render;
use crate::jwks::MAX_LIFETIME;

/// The xDS server of Tenantry: serves what is in PostgreSQL to Envoys, by delta ADS.
#[derive(Debug, Parser)]
#[command(name = "tenantry-xds", version, about)]
pub struct Cli {
    /// The log.
    #[command(flatten)]
    pub log: LogFlags,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands of the program.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve delta ADS.
    Serve(Serve),
    /// Print the bootstrap of an Envoy, as YAML.
    Bootstrap(Bootstrap),
    /// Explain why Envoys do not have a change.
    Check(Check),
    /// Print the resources that a site would get, as YAML, without its secrets.
    Render(Render),
}

/// The flags of `serve`.
#[derive(Clone, Debug, Args)]
pub struct Serve {
    /// PostgreSQL, with a login role that is a member of `tenantry_xds`.
    #[arg(long, env = "TENANTRY_DATABASE_URL", hide_env_values = true)]
    pub database_url: DatabaseUrl,
    /// The gRPC address for Envoys: in clear, unless the flags of TLS are given. A client that
    /// connects in clear can read every tenant's routes, and the secrets that verify signatures and
    /// tokens: then keep the address on the network of the Envoys, or better on one machine.
    #[arg(long, env = LISTEN, default_value = "127.0.0.1:18000")]
    pub listen: SocketAddr,
    /// The address of /healthz, /readyz and /metrics.
    #[arg(long, env = "TENANTRY_HTTP_LISTEN", default_value = "127.0.0.1:18001")]
    pub http_listen: SocketAddr,
    /// The domain under which every site gets a hostname; the shared API host is `api.` under it.
    #[arg(long, env = "TENANTRY_BASE_DOMAIN", default_value = DEFAULT_BASE_DOMAIN)]
    pub base_domain: BaseDomain,
    /// A file with the key that secrets in the database are sealed with, the one that the admin
    /// service has: 64 hexadecimal digits and a newline, readable by its owner alone. Without it,
    /// shared secrets of issuers and of signing keys are as good as absent.
    #[arg(long, env = "TENANTRY_SECRETS_KEY_FILE")]
    pub secrets_key_file: Option<PathBuf>,
    /// The seconds without a request after which an Envoy lets go of a site that it has loaded; it
    /// takes up to twice as long. The next request loads the site again, unless xds-server is away.
    /// Eager sites stay; 0 keeps all, and other values are 120 at least.
    #[arg(
        long,
        env = "TENANTRY_EVICT_AFTER_S",
        default_value_t = 24 * 60 * 60,
        value_parser = eviction
    )]
    pub evict_after_s: u64,
    /// A directory that keeps the served state, so that a start needs no PostgreSQL. It belongs to
    /// one xds-server alone, and is made if it is not there. Its files are sealed with the secrets
    /// key; without that key they hold no secret. Without this flag, a start waits for PostgreSQL.
    #[arg(long, env = "TENANTRY_STATE_DIR")]
    pub state_dir: Option<PathBuf>,
    /// The reading of the keys of token issuers.
    #[command(flatten)]
    pub jwks: Jwks,
    /// The addresses that upstreams may have.
    #[command(flatten)]
    pub upstreams: Upstreams,
    /// The Envoys that validate the served state.
    #[command(flatten)]
    pub validation: Validation,
    /// Mutual TLS with Envoys.
    #[command(flatten)]
    pub tls: Option<TlsFlags>,
}

/// Mutual TLS with Envoys: all of them or none. The files are read again when they change.
#[derive(Clone, Debug, Args)]
pub struct TlsFlags {
    /// A file with the certificate of this server, and the chain to its authority, in PEM.
    #[arg(
        long,
        env = "TENANTRY_TLS_CERT",
        requires = "tls_key",
        requires = "tls_client_ca",
        required = false
    )]
    pub tls_cert: PathBuf,
    /// A file with its private key, in PEM.
    #[arg(
        long,
        env = "TENANTRY_TLS_KEY",
        requires = "tls_cert",
        requires = "tls_client_ca",
        required = false
    )]
    pub tls_key: PathBuf,
    /// A file with the certificates of the authorities of Envoys, in PEM. An Envoy may be of the
    /// cells that its certificate names by URIs of the form `spiffe://<trust domain>/cell/<cell>`.
    #[arg(
        long,
        env = "TENANTRY_TLS_CLIENT_CA",
        requires = "tls_cert",
        requires = "tls_key",
        required = false
    )]
    pub tls_client_ca: PathBuf,
    /// The trust domain in the certificates of Envoys.
    #[arg(
        long,
        env = "TENANTRY_TLS_TRUST_DOMAIN",
        default_value = "tenantry",
        requires = "tls_cert"
    )]
    pub tls_trust_domain: String,
}

/// The reading of JWK Sets from the URLs that tenants name.
#[derive(Clone, Debug, Args)]
pub struct Jwks {
    /// Read them by plain http too, and from addresses outside the public internet. Only for
    /// deployments in which every tenant may know the services on the network of this program.
    #[arg(long, env = "TENANTRY_JWKS_ALLOW_PRIVATE")]
    pub jwks_allow_private: bool,
    /// A file with certificates of authorities, in PEM, that are trusted for it beside those of the
    /// system.
    #[arg(long, env = "TENANTRY_JWKS_CA_FILE")]
    pub jwks_ca_file: Option<PathBuf>,
    /// The longest time in seconds for which a set is not read again, whatever its issuer says: a
    /// key that an issuer adds is known after this time at the latest, and one that it takes away
    /// is good for no longer. A value below 300 also replaces shorter lifetimes that issuers give.
    #[arg(
        long,
        env = "TENANTRY_JWKS_MAX_LIFETIME_S",
        default_value_t = MAX_LIFETIME.as_secs(),
        value_parser = value_parser!(u64).range(1..=MAX_LIFETIME.as_secs())
    )]
    pub jwks_max_lifetime_s: u64,
}

/// Envoys that validate each change of a site, beside the way that it takes to the gateways, so
/// that its owner learns of a fault before a gateway has loaded the site.
#[derive(Clone, Debug, Args)]
pub struct Validation {
    /// An Envoy program that validates, of the version that the gateways have. Without it, none
    /// does.
    #[arg(long, env = "TENANTRY_VALIDATE_ENVOY")]
    pub validate_envoy: Option<PathBuf>,
    /// The number of them that run at once: each takes a core for some hundred milliseconds, and
    /// some 100 MB.
    #[arg(long, env = "TENANTRY_VALIDATE_WORKERS", default_value = "1")]
    pub validate_workers: NonZeroUsize,
}

/// The variable of earlier releases for `--listen`. The admin service read it too, with another
/// meaning.
pub const OLD_LISTEN: &str = "TENANTRY_LISTEN";
/// The variable for `--listen`.
pub const LISTEN: &str = "TENANTRY_XDS_LISTEN";

/// Reads `--evict-after-s`. The filter relies on the least of it.
fn eviction(text: &str) -> Result<u64, String> {
    let seconds = text.parse().map_err(|error| format!("{error}"))?;
    if (1..EVICTED_AFTER_S).contains(&seconds) {
        return Err(format!("must be 0, or {EVICTED_AFTER_S} at least"));
    }
    Ok(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn tls_is_on_with_all_its_files_or_off_with_none() {
        let parse = |flags: &[&str]| {
            let all = ["tenantry-xds", "serve", "--database-url", "postgres://h/d"];
            Cli::try_parse_from(all.iter().chain(flags)).map(|cli| {
                let Command::Serve(serve) = cli.command else { panic!("not serve") };
                serve.tls
            })
        };
        assert!(parse(&[]).unwrap().is_none());
        let tls =
            parse(&["--tls-cert", "c", "--tls-key", "k", "--tls-client-ca", "a"]).unwrap().unwrap();
        assert_eq!(tls.tls_trust_domain, "tenantry");
        for some in [&["--tls-cert", "c"][..], &["--tls-key", "k", "--tls-client-ca", "a"]] {
            assert!(parse(some).is_err(), "{some:?}");
        }
    }
}
