//! Programs that have to be there before anything can be built or started. Missing ones are
//! installed, with a message.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use stack::postgres::{Binaries, MIN_MAJOR};
use stack::{build, envoy, workspace_root};

/// Debian's packaging makes a server on port 5432 and starts it, unless this file says otherwise.
const CREATECLUSTER_CONF: &str = "/etc/postgresql-common/createcluster.conf";

/// The Rust target of the module, and Envoy; answers Envoy's path.
pub(crate) fn ensure_wasm_target_and_envoy() -> Result<PathBuf> {
    build::ensure_wasm_target()?;
    envoy::ensure_installed(&workspace_root().join(".tenantry/tools"))
}

/// PostgreSQL's programs, installed with apt where this program may do that.
pub(crate) fn ensure_postgres() -> Result<Binaries> {
    if let Some(found) = Binaries::find()? {
        return Ok(found);
    }
    let advice = format!(
        "PostgreSQL {MIN_MAJOR} or newer is needed. Install it (on Debian: sudo apt-get install \
         postgresql), or set \
         DATABASE_URL to a database that `up` may migrate"
    );
    ensure!(may_apt(), advice);
    apt_install_postgres().context(advice.clone())?;
    Binaries::find()?.context(advice)
}

/// pgTAP, beside the server that the tests start, and psql: with them the tests look at the
/// database without our programs.
pub(crate) fn ensure_pgtap(postgres: &Binaries) -> Result<()> {
    if !is_on_path("psql") {
        let advice =
            "the tests need `psql`. Install it (on Debian: sudo apt-get install postgresql-client)";
        ensure!(may_apt(), advice);
        apt_install("postgresql-client").context(advice)?;
    }
    if postgres.has_extension("pgtap") {
        return Ok(());
    }
    let package = format!("postgresql-{}-pgtap", postgres.major);
    let advice = format!(
        "the tests need pgTAP for PostgreSQL {}. Install it (on Debian: sudo apt-get install \
         {package})",
        postgres.major
    );
    ensure!(may_apt(), advice);
    eprintln!("Getting pgTAP: apt-get install {package}");
    apt_install(&package).context(advice)
}

/// `pgbouncer`, through which tests go to the database: on the path, or else unpacked from Debian's
/// packages into the tools, as to install it would start a server.
pub(crate) fn ensure_pgbouncer() -> Result<PathBuf> {
    if is_on_path("pgbouncer") {
        return Ok("pgbouncer".into());
    }
    let folder = workspace_root().join(".tenantry/tools/pgbouncer");
    let program = folder.join("pgbouncer");
    if program.is_file() {
        return Ok(program);
    }
    eprintln!("Getting pgbouncer: apt-get download pgbouncer");
    fs::create_dir_all(&folder)?;
    // The libraries that it needs beside those of every Debian; the wrapper becomes the program,
    // and keeps its process id.
    let script = "apt-get download pgbouncer libc-ares2 libevent-2.1-7 \
        && for deb in *.deb; do dpkg-deb --extract $deb . || exit 1; done && rm *.deb \
        && printf '#!/bin/sh\nhere=$(dirname \"$0\")\n\
        LD_LIBRARY_PATH=$(echo \"$here\"/usr/lib/*/) \
        exec \"$here\"/usr/sbin/pgbouncer \"$@\"\n' > pgbouncer.new \
        && chmod 755 pgbouncer.new && mv pgbouncer.new pgbouncer";
    let status = Command::new("sh").args(["-c", script]).current_dir(&folder).status()?;
    ensure!(
        status.success() && program.is_file(),
        "the tests need `pgbouncer`. Install it (on Debian: sudo apt-get install pgbouncer)"
    );
    Ok(program)
}

/// Programs that the tests run besides Tenantry's own, with their Debian packages: the load
/// generator, npm, which fetches published API descriptions, and curl, for the lines that `up`
/// prints.
const TEST_PROGRAMS: [(&str, &str); 3] = [("wrk", "wrk"), ("npm", "npm"), ("curl", "curl")];

/// Those programs, installed with apt where this program may do that.
pub(crate) fn ensure_test_programs() -> Result<()> {
    for (program, package) in TEST_PROGRAMS {
        if is_on_path(program) {
            continue;
        }
        let advice = format!(
            "the tests need `{program}`. Install it (on Debian: sudo apt-get install {package})"
        );
        ensure!(may_apt(), advice);
        eprintln!("Getting {program}: apt-get install {package}");
        if apt(&["install", "--yes", package]).is_err() {
            apt(&["update"])?;
            apt(&["install", "--yes", package]).context(advice)?;
        }
    }
    Ok(())
}

/// `promtool`, which checks the alert rules: on the path, or else unpacked from Debian's package
/// `prometheus` into the tools. To install that package would start a server.
pub(crate) fn ensure_promtool() -> Result<PathBuf> {
    if is_on_path("promtool") {
        return Ok("promtool".into());
    }
    let folder = workspace_root().join(".tenantry/tools/prometheus");
    let program = folder.join("usr/bin/promtool");
    if program.is_file() {
        return Ok(program);
    }
    eprintln!("Getting promtool: apt-get download prometheus");
    fs::create_dir_all(&folder)?;
    let script = "apt-get download prometheus && dpkg-deb --extract prometheus_*.deb . \
        && rm prometheus_*.deb";
    let status = Command::new("sh").args(["-c", script]).current_dir(&folder).status()?;
    ensure!(
        status.success() && program.is_file(),
        "the tests need `promtool`. Install it (on Debian: sudo apt-get install prometheus)"
    );
    Ok(program)
}

/// The Python programs that judge ours, in a virtual environment of their own, as
/// `tests/requirements.txt` says; answers the folder of its programs. A change of that file makes a
/// new one.
pub(crate) fn ensure_python_tools() -> Result<PathBuf> {
    let requirements = workspace_root().join("tests/requirements.txt");
    let wanted = fs::read_to_string(&requirements)
        .with_context(|| format!("reading {}", requirements.display()))?;
    let folder = workspace_root().join(".tenantry/tools/python");
    let installed = folder.join("installed.txt");
    if fs::read_to_string(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(folder.join("bin"));
    }
    eprintln!("Getting the Python programs of {}: pip install", requirements.display());
    let advice =
        "the tests need Python 3 with venv and pip (on Debian: sudo apt-get install python3-venv)";
    let _ = fs::remove_dir_all(&folder);
    let make = || Command::new("python3").args(["-m", "venv"]).arg(&folder).status();
    if !make().context(advice)?.success() {
        ensure!(may_apt(), advice);
        if apt(&["install", "--yes", "python3-venv"]).is_err() {
            apt(&["update"])?;
            apt(&["install", "--yes", "python3-venv"])?;
        }
        ensure!(make()?.success(), advice);
    }
    let pip = ["install", "--quiet", "--disable-pip-version-check", "--requirement"];
    let status = Command::new(folder.join("bin/pip")).args(pip).arg(&requirements).status()?;
    ensure!(
        status.success(),
        "pip could not install what {} names; it has said why",
        requirements.display()
    );
    // Last, so that what was interrupted is begun anew.
    fs::write(&installed, wanted)?;
    Ok(folder.join("bin"))
}

/// The release of cargo-nextest that is installed where none is on the path.
const NEXTEST: &str = "0.9.143";

/// `cargo-nextest`, which runs the tests: on the path, or else compiled into the tools.
pub(crate) fn ensure_nextest() -> Result<PathBuf> {
    if is_on_path("cargo-nextest") {
        return Ok("cargo-nextest".into());
    }
    let folder = workspace_root().join(".tenantry/tools/nextest");
    let program = folder.join("bin/cargo-nextest");
    if program.is_file() {
        return Ok(program);
    }
    let args = ["install", "cargo-nextest", "--version", NEXTEST, "--locked"];
    eprintln!("Getting cargo-nextest, once; it takes some minutes: cargo {}", args.join(" "));
    // With a target folder of its own, which cargo removes.
    let status = build::cargo()
        .args(args)
        .arg("--root")
        .arg(&folder)
        .env_remove("CARGO_TARGET_DIR")
        .status()
        .context("starting cargo")?;
    ensure!(
        status.success(),
        "cargo-nextest could not be installed: `cargo install cargo-nextest --locked` says why"
    );
    Ok(program)
}

fn apt_install(package: &str) -> Result<()> {
    if apt(&["install", "--yes", package]).is_err() {
        apt(&["update"])?;
        apt(&["install", "--yes", package])?;
    }
    Ok(())
}

pub(crate) fn is_on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn may_apt() -> bool {
    nix::unistd::geteuid().is_root() && Path::new("/usr/bin/apt-get").exists()
}

fn apt_install_postgres() -> Result<()> {
    eprintln!(
        "Getting PostgreSQL: apt-get install postgresql (without a system server on port 5432)"
    );
    // The file belongs to postgresql-common: it is changed between the two installations, as
    // PostgreSQL's own container image does it.
    if apt(&["install", "--yes", "postgresql-common"]).is_err() {
        apt(&["update"])?;
        apt(&["install", "--yes", "postgresql-common"])?;
    }
    let settings = fs::read_to_string(CREATECLUSTER_CONF).unwrap_or_default();
    let set = |line: &str| line.trim_start().starts_with("create_main_cluster");
    if !settings.lines().any(set) {
        fs::write(CREATECLUSTER_CONF, format!("{settings}\ncreate_main_cluster = false\n"))
            .with_context(|| format!("writing {CREATECLUSTER_CONF}"))?;
    }
    apt(&["install", "--yes", "postgresql"])
}

fn apt(args: &[&str]) -> Result<()> {
    // Recommended packages are left out: sysstat, say, would start a timer.
    let status = Command::new("apt-get")
        .args(["-o", "APT::Install-Recommends=false"])
        .args(args)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .status()?;
    if !status.success() {
        bail!("`apt-get {}` ended with {status}", args.join(" "));
    }
    Ok(())
}
