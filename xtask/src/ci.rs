//! `cargo xtask ci`: everything that has to pass before a change is taken, step by step.

use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use clap::ValueEnum;
use stack::build;

use crate::{prerequisites, sqlx_data, test};

/// The steps, in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// Check that rustfmt would change nothing
    Format,
    /// Run Clippy
    Clippy,
    /// Run Clippy on the module that Envoy loads
    ClippyWasm,
    /// Install the programs that later steps run
    Programs,
    /// Check the spelling
    Typos,
    /// Check that `.sqlx` matches the queries and migrations
    Sqlx,
    /// Build the documentation of the code, and check its links
    Doc,
    /// Check licences and sources of dependencies, if cargo-deny is installed
    Deny,
    /// Run all tests
    Tests,
}

/// A step that has run.
struct Done {
    step: Step,
    result: Result<()>,
    took: Duration,
}

/// Runs all steps, or one, and prints the time of each at the end. A step that fails does not keep
/// the later ones from running.
pub(crate) fn run(only: Option<Step>) -> ExitCode {
    let begun = Instant::now();
    // Downloads wait for the network, while the first steps use the processors.
    let mut download = only.is_none().then(|| thread::spawn(get_programs));
    let mut done = Vec::new();
    for &step in Step::value_variants() {
        if only.is_some_and(|only| only != step) {
            continue;
        }
        println!("\n== {} ({} s)", step.name(), begun.elapsed().as_secs());
        let start = Instant::now();
        let result = match (step, download.take()) {
            (Step::Programs, Some(download)) => {
                download.join().unwrap_or_else(|_| Err(anyhow!("the downloads panicked")))
            }
            (_, not_yet) => {
                download = not_yet;
                step.run()
            }
        };
        if let Err(error) = &result {
            eprintln!("error: {}: {error:#}", step.name());
        }
        done.push(Done { step, result, took: start.elapsed() });
    }
    report(&done, begun.elapsed());
    match done.iter().all(|done| done.result.is_ok()) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

impl Step {
    /// The name that `--step` takes.
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    fn run(self) -> Result<()> {
        match self {
            Step::Format => cargo(&["fmt", "--all", "--check"]),
            Step::Clippy => {
                let lints = ["--locked", "--", "-D", "warnings"];
                cargo(&[&["clippy", "--workspace", "--all-targets"], &lints[..]].concat())
            }
            Step::ClippyWasm => {
                build::ensure_wasm_target()?;
                let module = ["--package", "tenantry-filter", "--target", build::WASM_TARGET];
                let lints = ["--locked", "--", "-D", "warnings"];
                cargo(&[&["clippy"], &module[..], &lints[..]].concat())
            }
            Step::Programs => get_programs(),
            Step::Typos => typos(),
            Step::Sqlx => sqlx_data::run(true).map(drop),
            Step::Doc => {
                cargo(&["doc", "--workspace", "--no-deps", "--document-private-items", "--locked"])
            }
            Step::Deny => deny(),
            Step::Tests => {
                ensure!(test::run_all()?, "not all tests have passed");
                Ok(())
            }
        }
    }
}

fn get_programs() -> Result<()> {
    test::Programs::get().map(drop)
}

fn cargo(args: &[&str]) -> Result<()> {
    run_command(build::cargo().args(args))
}

fn typos() -> Result<()> {
    let program = prerequisites::ensure_python_tools()?.join("typos");
    let mut command = Command::new(program);
    command.args(["--config", "typos.toml"]).current_dir(stack::workspace_root());
    run_command(&mut command).context("mend the spelling, or add the word to typos.toml")
}

fn deny() -> Result<()> {
    if !prerequisites::is_on_path("cargo-deny") {
        eprintln!(
            "Left out: cargo-deny is not installed (cargo install cargo-deny --locked). The tests \
             check licences and sources without it."
        );
        return Ok(());
    }
    cargo(&["deny", "--locked", "--offline", "check", "bans", "licenses", "sources"])
}

fn run_command(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("starting {command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}

fn report(done: &[Done], total: Duration) {
    println!("\n{:<14} {:>7}  result", "step", "seconds");
    for Done { step, result, took } in done {
        let result = if result.is_ok() { "ok" } else { "FAILED" };
        println!("{:<14} {:>7.1}  {result}", step.name(), took.as_secs_f64());
    }
    println!("{:<14} {:>7.1}", "all", total.as_secs_f64());
}
