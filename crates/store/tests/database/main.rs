//! Tests that need a PostgreSQL. `cargo xtask test` starts one; each test works in a database of
//! its own.

#![expect(
    clippy::disallowed_methods,
    reason = "tests read the clock and make ids where they need them"
)]

mod audit;
mod bounds;
mod catalog;
mod changes;
mod conflicts;
mod copying;
mod credentials;
mod desired;
mod dns_cache;
mod fixture;
mod following;
mod furniture;
mod grants;
mod idempotency;
mod import;
mod isolation;
mod jwks_cache;
mod lifecycle;
mod people;
mod pgbouncer;
mod pgtap;
mod pool;
mod quarantine;
mod roles;
mod secrets;
mod sessions;
mod settings;
mod shares;
mod sizes;
mod statements;
mod totals;
mod usage;
