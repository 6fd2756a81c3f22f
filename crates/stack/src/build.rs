//! Building what is run: the native programs and the wasm module.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::SystemTime;

use anyhow::{Context, Result, anyhow, ensure};

use crate::{wasm, workspace_root};

/// The program of the admin HTTP API, from the folder `admin`.
pub const ADMIN: &str = "tenantry-admin";

/// The program that configures Envoys, from the folder `xds-server`.
pub const XDS: &str = "tenantry-xds";

pub const WASM_TARGET: &str = "wasm32-wasip1";
const WASM_FILE: &str = "tenantry_filter.wasm";
/// The variable by which `cargo xtask test` tells where the module with faults on demand is.
pub const FAULTY_MODULE: &str = "TENANTRY_FAULTY_WASM";

/// The built programs and the module.
#[derive(Debug, Clone)]
pub struct Artifacts {
    /// Holds `tenantry-admin` and `tenantry-xds`.
    pub bin_dir: PathBuf,
    /// Absolute; as [`wasm::finish`] makes it.
    pub wasm: PathBuf,
}

impl Artifacts {
    /// Returns those that `cargo xtask test` has built and passed on, or else those that an earlier
    /// build has left in the target folder.
    pub fn from_env() -> Result<Artifacts> {
        let artifacts = Artifacts {
            bin_dir: env::var_os("TENANTRY_BIN_DIR")
                .map_or_else(|| target_dir().join("debug"), PathBuf::from),
            wasm: env::var_os("TENANTRY_WASM")
                .map_or_else(finish_module, |path| Ok(path.into()))?,
        };
        for needed in [artifacts.admin(), artifacts.xds_server(), artifacts.wasm.clone()] {
            ensure!(
                needed.is_file(),
                "{} is not built: run the tests with `cargo xtask test`",
                needed.display()
            );
        }
        Ok(artifacts)
    }

    /// True if the caller has built them, and names their folder.
    pub fn are_given() -> bool {
        env::var_os("TENANTRY_BIN_DIR").is_some()
    }

    pub fn admin(&self) -> PathBuf {
        self.bin_dir.join(ADMIN)
    }

    pub fn xds_server(&self) -> PathBuf {
        self.bin_dir.join(XDS)
    }
}

/// The profile of the native programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    Dev,
    Release,
    /// As `Dev`, along with every test of the workspace.
    DevWithTests,
}

/// Builds everything; cargo shows its progress on standard error.
pub fn build(profile: Profile) -> Result<Artifacts> {
    // Beside the programs: linking the module takes one processor for half a minute.
    let module = thread::spawn(build_module);
    let bin_dir = build_programs(profile)?;
    let wasm = module.join().map_err(|_| anyhow!("the build of the module panicked"))??;
    Ok(Artifacts { bin_dir: target_dir().join(bin_dir), wasm })
}

/// Builds the native programs; answers the name of their folder.
fn build_programs(profile: Profile) -> Result<&'static str> {
    let programs = ["build", "--bin", ADMIN, "--bin", XDS];
    Ok(match profile {
        Profile::Dev => {
            // Without --package, for the reason in .cargo/config.toml.
            run_cargo(&programs)?;
            "debug"
        }
        Profile::Release => {
            // With it, so that no test's feature of a dependency is in a program that ships.
            let packages = ["--package", "admin", "--package", "xds-server", "--release"];
            run_cargo(&[&programs[..], &packages].concat())?;
            "release"
        }
        Profile::DevWithTests => {
            run_cargo(&["build", "--workspace", "--bins", "--tests"])?;
            "debug"
        }
    })
}

/// Builds the module that Envoy loads; answers its path.
pub fn build_module() -> Result<PathBuf> {
    compile_module(&ModuleOptions::default())?;
    finish_module()
}

/// Other ways to compile the module, for comparisons.
#[derive(Debug, Clone, Copy, Default)]
pub struct ModuleOptions {
    /// A target folder of its own, inside the target folder; needed with the others.
    pub folder: Option<&'static str>,
    /// Of the filter.
    pub features: &'static [&'static str],
    /// For `cargo --config`.
    pub config: &'static [&'static str],
    /// For the compiler.
    pub rustflags: &'static str,
}

/// The module with faults on demand, for tests alone. Its folder keeps it apart from the one that
/// ships, and it is compiled the quick way: one measures nothing with it.
const FAULTY: ModuleOptions = ModuleOptions {
    folder: Some("faulty"),
    features: &["fault-injection"],
    config: &[
        "profile.wasm.lto=false",
        "profile.wasm.codegen-units=16",
        "profile.wasm.opt-level=2",
    ],
    rustflags: "",
};

/// Builds the module with faults on demand; answers its path.
pub fn build_faulty_module() -> Result<PathBuf> {
    finish(&compile_module(&FAULTY)?, &target_dir().join("envoy/faulty.wasm"))
}

/// Compiles the module; answers the path of what the compiler leaves, which Envoy should not load
/// ([`wasm::finish`]).
pub fn compile_module(options: &ModuleOptions) -> Result<PathBuf> {
    let target =
        options.folder.map_or_else(target_dir, |folder| target_dir().join("modules").join(folder));
    let mut cargo = cargo();
    cargo.args([
        "build",
        "--package",
        "tenantry-filter",
        "--target",
        WASM_TARGET,
        "--profile",
        "wasm",
    ]);
    cargo.args(options.features.iter().flat_map(|feature| ["--features", feature]));
    cargo
        .args(options.config.iter().flat_map(|value| ["--config", value]))
        .arg("--target-dir")
        .arg(&target);
    if !options.rustflags.is_empty() {
        cargo.env("RUSTFLAGS", options.rustflags);
    }
    run(&mut cargo)?;
    Ok(compiled_module(&target))
}

fn compiled_module(target: &Path) -> PathBuf {
    target.join(WASM_TARGET).join("wasm").join(WASM_FILE)
}

/// More programs, for a bench of the data plane.
#[derive(Debug)]
pub struct BenchTools {
    /// `xtask` itself, in release.
    pub xtask: PathBuf,
    /// A filter that does nothing, as the compiler has left it.
    pub empty_module: PathBuf,
}

/// Builds those tools.
pub fn build_bench() -> Result<BenchTools> {
    let example = ["--package", "tenantry-filter", "--example", "empty"];
    run_cargo(&[&["build", "--target", WASM_TARGET, "--profile", "wasm"], &example[..]].concat())?;
    Ok(BenchTools {
        xtask: build_release_xtask()?,
        empty_module: target_dir().join(WASM_TARGET).join("wasm/examples/empty.wasm"),
    })
}

/// Builds what does the filter's costliest honest work without Envoy; answers the path of what the
/// compiler has left.
pub fn build_honest_module() -> Result<PathBuf> {
    let example = ["--package", "tenantry-filter", "--example", "honest"];
    run_cargo(&[&["build", "--target", WASM_TARGET, "--profile", "wasm"], &example[..]].concat())?;
    Ok(target_dir().join(WASM_TARGET).join("wasm/examples/honest.wasm"))
}

/// Builds `xtask` itself in release, for a bench in which it does part of the work; answers its
/// path.
pub fn build_release_xtask() -> Result<PathBuf> {
    run_cargo(&["build", "--bin", "xtask", "--release"])?;
    Ok(target_dir().join("release/xtask"))
}

/// Makes the module that Envoy loads out of the one that the compiler has left, unless that has
/// been done.
fn finish_module() -> Result<PathBuf> {
    finish(&compiled_module(&target_dir()), &target_dir().join("envoy").join(WASM_FILE))
}

fn finish(compiled: &Path, finished: &Path) -> Result<PathBuf> {
    let modified = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified());
    let at = modified(compiled).with_context(|| {
        format!(
            "{} is not built: run `cargo xtask wasm`, or the tests with `cargo xtask test`",
            compiled.display()
        )
    })?;
    // This program too: another one may finish modules in another way. If cargo has replaced it
    // meanwhile, its file is gone.
    let program = env::current_exe().and_then(|program| modified(&program));
    let is_newer = |finished: SystemTime| {
        finished > at && program.as_ref().is_ok_and(|program| finished > *program)
    };
    if modified(finished).is_ok_and(is_newer) {
        return Ok(finished.to_owned());
    }
    let module = wasm::finish(&fs::read(compiled)?, wasm::Steps::default())
        .with_context(|| format!("finishing {}", compiled.display()))?;
    let folder = finished.parent().unwrap_or(finished);
    fs::create_dir_all(folder)?;
    // Several test programs may come here at the same time, and Envoys may be reading: the file is
    // whole at all times.
    let mut draft = tempfile::NamedTempFile::new_in(folder)?;
    std::io::Write::write_all(&mut draft, &module)?;
    fs::set_permissions(draft.path(), fs::Permissions::from_mode(0o644))?;
    draft.persist(finished)?;
    Ok(finished.to_owned())
}

/// Makes sure that the standard library for the wasm target is there. Says on standard error what
/// it does.
pub fn ensure_wasm_target() -> Result<()> {
    let query = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", WASM_TARGET])
        .current_dir(workspace_root())
        .output()
        .context("starting rustc")?;
    let libdir = String::from_utf8_lossy(&query.stdout).trim().to_owned();
    if query.status.success() && Path::new(&libdir).is_dir() {
        return Ok(());
    }
    eprintln!("Getting the Rust target {WASM_TARGET}: rustup target add {WASM_TARGET}");
    let status = Command::new("rustup")
        .args(["target", "add", WASM_TARGET])
        .current_dir(workspace_root())
        .status();
    let added = status.is_ok_and(|status| status.success());
    ensure!(
        added,
        "the Rust target {WASM_TARGET} is missing and rustup could not add it: install it with \
         your toolchain"
    );
    Ok(())
}

/// A cargo that does not see what `cargo run` told this program about its own package. Build
/// scripts of some dependencies (ring's) depend on those variables, and all that is above them
/// would be compiled anew each time.
pub fn cargo() -> Command {
    cargo_program(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// As [`cargo`], for another program that builds: one of cargo's subcommands.
pub fn cargo_program(program: impl AsRef<OsStr>) -> Command {
    let mut cargo = Command::new(program);
    cargo.current_dir(workspace_root());
    for (name, _) in env::vars_os() {
        let told = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
        });
        if told {
            cargo.env_remove(name);
        }
    }
    cargo
}

fn run_cargo(args: &[&str]) -> Result<()> {
    run(cargo().args(args))
}

fn run(cargo: &mut Command) -> Result<()> {
    let status = cargo.status().context("starting cargo")?;
    let args = || cargo.get_args().map(|arg| arg.to_string_lossy()).collect::<Vec<_>>().join(" ");
    ensure!(status.success(), "`cargo {}` failed", args());
    Ok(())
}

/// Cargo's target folder.
pub fn target_dir() -> PathBuf {
    let root = workspace_root();
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir))
}
