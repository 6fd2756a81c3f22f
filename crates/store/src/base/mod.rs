//! Ground floor: transactions, the logs that a commit writes, errors, secrets and pages.

pub(crate) mod actor;
pub(crate) mod audit;
pub(crate) mod audit_log;
pub(crate) mod change;
pub(crate) mod error;
pub(crate) mod following;
pub(crate) mod held;
pub(crate) mod id;
pub mod idempotency;
pub(crate) mod mark;
pub(crate) mod page;
pub(crate) mod party;
pub(crate) mod plan_limit;
pub(crate) mod pool;
pub(crate) mod queries;
pub(crate) mod reader;
pub mod seal;
pub(crate) mod settings;
pub mod shares;
pub(crate) mod tx;
