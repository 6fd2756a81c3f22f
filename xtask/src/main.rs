//! `cargo xtask <command>`: everything that one does with this repository beyond `cargo build`.

mod bench;
mod ci;
mod down;
mod golden;
mod prerequisites;
mod runtime;
mod sqlx_data;
mod test;
mod up;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

use crate::runtime::block_on;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Runs, tests and maintains Tenantry")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Brings up a working gateway with two demo tenants, and keeps it running
    Up(up::UpArgs),
    /// Stops what `up` has started
    Down,
    /// Builds everything and runs all tests on a PostgreSQL server of their own
    Test {
        /// Options and filters of `cargo nextest run`: `-p NAME` for one package, a part of a
        /// test's name
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Runs everything that has to pass before a change is taken, and prints the time of each step
    Ci {
        /// One step alone
        #[arg(long, value_enum)]
        step: Option<ci::Step>,
    },
    /// Builds the module that Envoy loads, and prints its path
    Wasm,
    /// Regenerates `.sqlx`, the descriptions of the checked queries
    Sqlx {
        /// Changes nothing; fails if `.sqlx` is not what the queries and migrations say
        #[arg(long)]
        check: bool,
    },
    /// Regenerates the golden files of the xDS translation
    Golden,
    /// Measures, prints a table, and writes JSON under target/bench
    #[command(subcommand)]
    Bench(bench::Bench),
    /// The part of `bench admin` that measures
    #[command(hide = true)]
    BenchAdmin(bench::admin::Admin),
    /// The part of `bench control-plane` that measures
    #[command(hide = true)]
    BenchControlPlane(bench::control_plane::ControlPlane),
    /// The part of `bench data-plane` that measures
    #[command(hide = true)]
    BenchMeasure(bench::data_plane::Measure),
    /// The part of `bench timing` that measures
    #[command(hide = true)]
    BenchTiming(bench::timing::Timing),
    /// The servers of `bench data-plane`
    #[command(hide = true, subcommand)]
    BenchPart(bench::data_plane::parts::Part),
    /// Runs upstreams that answer with the request: what `up` starts as the demo's upstreams
    #[command(hide = true)]
    Echo {
        /// `<name>=<address>`
        #[arg(long, required = true, value_parser = named_address)]
        listen: Vec<(String, SocketAddr)>,
    },
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Up(args) => up::run(&args),
        Command::Down => down::run(),
        Command::Test { args } => test::run(&args),
        Command::Ci { step } => Ok(ci::run(step)),
        Command::Sqlx { check } => sqlx_data::run(check),
        Command::Wasm => build_module(),
        Command::Bench(bench) => bench::run(&bench),
        Command::BenchAdmin(what) => {
            block_on(bench::admin::measure(&what)).map(|()| ExitCode::SUCCESS)
        }
        Command::BenchControlPlane(what) => {
            block_on(bench::control_plane::measure(&what)).map(|()| ExitCode::SUCCESS)
        }
        Command::BenchMeasure(measure) => {
            block_on(bench::data_plane::measure(&measure)).map(|()| ExitCode::SUCCESS)
        }
        Command::BenchTiming(what) => {
            block_on(bench::timing::measure(&what)).map(|()| ExitCode::SUCCESS)
        }
        Command::BenchPart(part) => {
            bench::data_plane::parts::run_forever(&part).map(|never| match never {})
        }
        Command::Golden => golden::run(),
        Command::Echo { listen } => stack::echo::run_forever(&listen).map(|never| match never {}),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn build_module() -> Result<ExitCode> {
    stack::build::ensure_wasm_target()?;
    println!("{}", stack::build::build_module()?.display());
    Ok(ExitCode::SUCCESS)
}

fn named_address(text: &str) -> Result<(String, SocketAddr)> {
    let (name, addr) = text.split_once('=').context("want <name>=<address>")?;
    Ok((name.to_owned(), addr.parse()?))
}
