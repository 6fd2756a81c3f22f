//! `cargo xtask bench <name>`: programs that measure, print a table and write JSON under
//! `target/bench`.

pub(crate) mod admin;
pub(crate) mod control_plane;
pub(crate) mod data_plane;
mod figures;
mod people;
mod revocation;
mod seed;
mod start;
pub(crate) mod timing;
mod tokens;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use stack::build::{self, Profile};

use crate::prerequisites;
use crate::runtime::block_on;

#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Time that people wait for the admin API, with very many tenants: lists, new keys and logins
    Admin(admin::Admin),
    /// Cost of a change, from its commit to its effect, by the number of tenants; and a cold start
    /// with all of them
    ControlPlane(control_plane::ControlPlane),
    /// Cost of a request in Envoy: Tenantry's filter beside an empty one, Envoy's own filters, Lua
    /// and call-outs
    DataPlane(data_plane::DataPlane),
    /// Time from the commit of a key's revocation to its refusal, on two Envoys
    Revocation {
        /// Number of keys that are revoked, one after the other
        #[arg(long, default_value_t = 200)]
        count: usize,
    },
    /// Differences in the time of refusals that could tell an attacker which accounts, keys, tokens
    /// and ids exist
    Timing(timing::Timing),
}

/// Builds in release, so that what is measured is what would run.
pub(crate) fn run(bench: &Bench) -> Result<ExitCode> {
    prerequisites::ensure_wasm_target_and_envoy()?;
    prerequisites::ensure_postgres()?;
    let artifacts = build::build(Profile::Release)?;
    match bench {
        Bench::Admin(what) => return admin::build_and_measure(what, &artifacts),
        Bench::ControlPlane(what) => return control_plane::build_and_measure(what, &artifacts),
        Bench::DataPlane(what) => return data_plane::build_and_measure(what, &artifacts),
        Bench::Timing(what) => return timing::build_and_measure(what, &artifacts),
        Bench::Revocation { count } => block_on(revocation::run(&artifacts, *count))?,
    }
    Ok(ExitCode::SUCCESS)
}
