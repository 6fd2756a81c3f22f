//! Starts the two programs of the control plane, `tenantry-admin` and `tenantry-xds`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::build::{ADMIN, Artifacts, XDS};
use crate::process::Launch;
use crate::secret;
use crate::service::{Ready, Service};

/// The domain under which every site has its hostname: `<slug>.gw.localhost`, and
/// `api.gw.localhost` for all of them.
pub const BASE_DOMAIN: &str = "gw.localhost";

/// The variable that both programs take their database login from. It is not a flag here, because
/// every user of the machine can read the arguments of a process.
const DATABASE_URL: &str = "TENANTRY_DATABASE_URL";

/// Upstreams may be on this machine, as those of the tests and of `up` are.
const UPSTREAM_ALLOW: (&str, &str) = ("TENANTRY_UPSTREAM_ALLOW", "127.0.0.0/8");

/// A program of ours. Errors in its log are what failure messages show the end of: backtraces would
/// push them out.
fn program(path: PathBuf, log: impl Into<PathBuf>, database_url: &str) -> Launch {
    Launch::new(path, log).env("RUST_LIB_BACKTRACE", "0").env(DATABASE_URL, database_url)
}

/// Runs the migrations as the owner of the database.
pub async fn migrate(artifacts: &Artifacts, owner_url: &str, log: &Path) -> Result<()> {
    program(artifacts.admin(), log, owner_url).args(["migrate"]).run().await
}

/// The files of a deployment that both programs, or one of them, read.
#[derive(Debug, Clone)]
pub struct Files {
    /// `tenantry-admin` writes the operator token here on its first start.
    pub operator_token: PathBuf,
    /// The key that secrets are sealed with: made here if it is not there ([`secret::key_file`]).
    pub secrets_key: PathBuf,
}

impl Files {
    /// The files in a folder.
    ///
    /// # Errors
    /// If the key cannot be written.
    pub fn in_folder(dir: &Path) -> Result<Files> {
        let secrets_key = dir.join("secrets-key");
        secret::key_file(&secrets_key)?;
        Ok(Files { operator_token: dir.join("operator-token"), secrets_key })
    }
}

/// Starts `tenantry-admin serve`. Issuers may publish their keys over plain HTTP, because those of
/// a developer's machine do.
pub fn admin(
    artifacts: &Artifacts,
    login_url: &str,
    listen: SocketAddr,
    files: &Files,
    log: PathBuf,
) -> Service {
    let launch = program(artifacts.admin(), log, login_url)
        .env(UPSTREAM_ALLOW.0, UPSTREAM_ALLOW.1)
        // Tests and benches are one caller, at one address, that asks for as much as it can.
        .args([
            "serve",
            "--rate-per-principal",
            "0",
            "--rate-per-address",
            "0",
            "--auth-rate-per-address",
            "0",
        ])
        .args(["--allow-http-jwks", "--listen", &listen.to_string(), "--base-domain", BASE_DOMAIN])
        .args([Path::new("--operator-token-file"), &files.operator_token])
        .args([Path::new("--secrets-key-file"), &files.secrets_key]);
    Service::new(ADMIN, launch, Ready::Http(format!("http://{listen}/readyz")))
}

/// Starts `tenantry-xds serve`: delta ADS on `grpc`, health and metrics on `http`. The keys of
/// issuers may be on this machine.
pub fn xds_server(
    artifacts: &Artifacts,
    login_url: &str,
    grpc: SocketAddr,
    http: SocketAddr,
    files: &Files,
    log: PathBuf,
) -> Service {
    let launch = program(artifacts.xds_server(), log, login_url)
        .env(UPSTREAM_ALLOW.0, UPSTREAM_ALLOW.1)
        .args([
            "serve",
            "--jwks-allow-private",
            "--listen",
            &grpc.to_string(),
            "--http-listen",
            &http.to_string(),
        ])
        .args(["--base-domain", BASE_DOMAIN])
        .args([Path::new("--secrets-key-file"), &files.secrets_key]);
    Service::new(XDS, launch, Ready::Http(format!("http://{http}/readyz")))
}
