//! `cargo xtask <command>`: everything that one does with this repository beyond `cargo build`.

#![expect(clippy::disallowed_methods, reason = "benches and builds read the clock")]

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
#[command(name = "cargo xtask", about = "Run, test and maintain Tenantry")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a working gateway with two demo tenants, and keep it running
    Up(up::UpArgs),
    /// Stop the gateway that `up` has started
    Down,
    /// Build everything and run the tests, on a PostgreSQL server of their own
    Test {
        /// Options and filters of `cargo nextest run`: `-p NAME` for one package, or a part of a
        /// test's name [default: all tests]
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Run every check that a change has to pass, and print the time of each
    Ci {
        /// Run this step alone
        #[arg(long, value_enum)]
        step: Option<ci::Step>,
    },
    /// Build the module that Envoy loads, and print its path
    Wasm,
    /// Write `.sqlx`, the descriptions of the checked queries
    Sqlx {
        /// Write nothing; fail if `.sqlx` does not match the queries and migrations
        #[arg(long)]
        check: bool,
    },
    /// Write the golden files and generated pages that tests compare with
    Golden,
    /// Measure, print a table, and write JSON under target/bench
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
    /// Run upstreams that answer with the request; `up` starts them for its demo
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
