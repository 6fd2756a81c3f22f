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

mod accounts;
mod base;
mod clients;
mod platform;
mod publishing;
mod serving;
mod tenancy;

pub use accounts::{
    access_token_key, account, attempt, email_token, outbox, session, signup, totp,
};
pub use base::error::StoreError;
pub use base::page::Page;
pub use base::pool::{Pooling, Store, migrate};
pub use base::reader::{Reader, SnapshotTx};
pub use base::tx::{Actor, ActorKind, AuditTx, Logged, PlatformTx, Savepoint, ScopedTx, TenantTx};
pub use base::{audit, change, idempotency, seal};
pub use clients::{consumer, key, signing_key};
pub use platform::{cell, operator_token, platform_plan};
pub use publishing::{api, hostname, issuer, plan, route, site, upstream, version};
pub use serving::{desired, dns_cache, envoy, jwks_cache, lookup, quarantine, usage};
pub use tenancy::standing::{NoRole, Role, Standing};
pub use tenancy::{invitation, member, service_token, tenant};
