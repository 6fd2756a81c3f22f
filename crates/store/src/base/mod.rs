//! Ground floor: transactions, the logs that a commit writes, errors, secrets and pages.

pub mod audit;
pub mod change;
pub(crate) mod error;
pub mod idempotency;
pub(crate) mod page;
pub(crate) mod pool;
pub(crate) mod reader;
pub mod seal;
pub(crate) mod settings;
pub(crate) mod tx;
