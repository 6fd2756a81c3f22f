//! `cargo xtask bench <what>`: figures that the project promises, measured on the real parts.

mod figures;
mod revocation;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// From the commit of a key's revocation to its refusal, on two Envoys
    Revocation {
        #[arg(long, default_value_t = 200)]
        samples: usize,
    },
}

pub(crate) fn run(bench: &Bench) -> Result<ExitCode> {
    match bench {
        Bench::Revocation { samples } => revocation::run(*samples),
    }
}
