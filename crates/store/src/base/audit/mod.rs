//! The audit log: one hash chain per tenant, which the database itself builds (see
//! `migrations/0006_audit_log.sql`).

pub mod chain;
#[cfg(test)]
mod chain_tests;
mod entry;
mod jsonb;
mod row;

pub use entry::PLATFORM;
pub(crate) use entry::{Audited, Entry, write};
pub use row::AuditRow;
