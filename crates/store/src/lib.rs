//! All SQL of Tenantry.
//!
//! One way in for writers: [`Store::tenant`] begins a transaction that sees the rows of one tenant,
//! [`Store::platform`] one that sees the registry of tenants. Every change made through either
//! leaves its audit row and its change-log rows, which `commit` writes in the right order.
//! [`Reader`] is the way in for xds-server: read-only, of all tenants, in snapshots; and
//! [`usage::Ledger`] the only one through which it writes what tenants can see.
//!
//! Architecture invariant: every query is a checked macro, whose text is fixed at compile time. Row
//! security stops a forgotten condition, not injected SQL; so there is no SQL that is put together
//! at run time, here or elsewhere.

#![cfg_attr(not(test), deny(clippy::unwrap_used))]

pub mod access_token_key;
pub mod account;
pub mod api;
pub mod attempt;
pub mod audit;
pub mod cell;
pub mod change;
pub mod consumer;
mod credential;
pub mod desired;
pub mod dns_cache;
pub mod email_token;
pub mod envoy;
mod error;
pub mod hostname;
pub mod idempotency;
pub mod invitation;
pub mod issuer;
pub mod jwks_cache;
pub mod key;
pub mod lookup;
pub mod member;
pub mod operator_token;
pub mod outbox;
mod page;
pub mod plan;
pub mod platform_plan;
mod pool;
pub mod quarantine;
mod reader;
pub mod route;
pub mod seal;
pub mod service_token;
pub mod session;
mod settings;
pub mod signing_key;
pub mod signup;
pub mod site;
mod standing;
pub mod tenant;
pub mod totp;
mod tx;
pub mod upstream;
pub mod usage;
pub mod version;

pub use error::StoreError;
pub use page::Page;
pub use pool::{Pooling, Store, migrate};
pub use reader::{Reader, SnapshotTx};
pub use standing::{NoRole, Role, Standing};
pub use tx::{Actor, ActorKind, AuditTx, Logged, PlatformTx, Savepoint, ScopedTx, TenantTx};
