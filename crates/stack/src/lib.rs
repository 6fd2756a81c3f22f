//! Starts the real parts of Tenantry on one machine: a private PostgreSQL,
//! `tenantry-admin`, `tenantry-xds`, Envoy and an echo upstream.
//!
//! `cargo xtask up` uses it to run a deployment for a person, and the end-to-end tests use it to
//! run one per test. Nothing here is part of the product: its failures are read by a person, never
//! matched by a program, which is why it answers [`anyhow::Error`] with the end of the failing
//! part's log in it. The one exception is [`admin_api::ApiError`], because tests assert on the
//! status and body of a refusal.
//!
//! Every module is one idea; [`Stack`] puts them together.

#![expect(
    clippy::disallowed_methods,
    reason = "it starts what runs on this machine: passwords and deadlines are its own"
)]

pub mod account;
pub mod admin_api;
pub mod build;
pub mod control;
pub mod echo;
pub mod envoy;
pub mod mail_server;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod provision;
pub mod reference;
pub mod secret;
pub mod service;
pub mod testing;
pub mod wasm;

pub use testing::Stack;

use std::path::{Path, PathBuf};

/// The root of the workspace that this crate was built from.
pub fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .map(Path::to_path_buf)
        .unwrap_or_default()
}
