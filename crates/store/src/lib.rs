//! All SQL of Tenantry.
//!
//! Writers have one way in: [`Store::tenant`] begins a transaction that sees the rows of one
//! tenant, [`Store::platform`] one that sees the registry of tenants. Every change made through
//! either leaves its audit row and its change-log rows, which `commit` writes in the right order.
//! [`Reader`] is the way in for xds-server: read-only, of all tenants, in snapshots; through
//! [`usage::Ledger`] alone it writes rows that tenants can see.
//!
//! The folders are contexts, each with its nouns. A context imports only those below it: `base`,
//! `platform`, `tenancy`, then `accounts` and `publishing`, `clients`, `serving`. This file is the
//! public face: callers name a noun, and not its context.
//!
//! Architecture invariant: every query is a checked macro, whose text is fixed when the crate is
//! compiled. Row security stops a forgotten condition, not injected SQL; so no SQL is put together
//! at run time, here or elsewhere.

#![cfg_attr(not(test), deny(clippy::unwrap_used))]
#![warn(missing_docs)]

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
pub use base::actor::{Actor, ActorKind, Logged};
pub use base::error::{KeyEnd, StoreError};
pub use base::id::new_id;
pub use base::page::Page;
pub use base::party::{Party, Work};
pub use base::pool::{Pooling, Store, migrate};
pub use base::reader::{Reader, SnapshotTx};
pub use base::tx::{AuditTx, PlatformTx, Savepoint, ScopedTx, TenantTx};
pub use base::{idempotency, seal, shares};
pub use clients::{consumer, key, signing_key};
pub use platform::{cell, operator_token};
pub use publishing::{api, hostname, issuer, plan, route, upstream, version};
pub use serving::{desired, dns_cache, envoy, jwks_cache, left_out, lookup, quarantine, usage};
pub use tenancy::standing::{NoRole, Role, Standing};
pub use tenancy::{invitation, member, service_token, tenant};

/// The audit log: its rows, reading them, and verifying their chains.
pub mod audit {
    pub use crate::base::audit::{AuditRow, PLATFORM, chain};
    pub use crate::base::audit_log::{
        Filter, Head, Position, chains, following, head, heads, newest, newest_of_all, verify,
    };
}

/// The change log, which xds-server follows.
pub mod change {
    pub use crate::base::change::{CHANNEL, Change};
    pub use crate::base::following::{
        Listener, Logged, behind, last_of_site, last_of_tenant, listen, prune,
    };
}

/// Platform plans, and the use that tenants make of them.
pub mod platform_plan {
    pub use crate::platform::platform_plan::*;
    pub use crate::tenancy::allowance::{TenantLimits, Used, of_tenant};
}

/// Sites: a tenant's gateway workspaces, their locks and their copies.
pub mod site {
    pub use crate::publishing::copy::{SiteCopy, copy};
    pub use crate::publishing::lock::{all as lock_all, children as lock, exists as require};
    pub use crate::publishing::site::*;
}
