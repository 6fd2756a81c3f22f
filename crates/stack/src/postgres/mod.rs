//! A private PostgreSQL server: its own data directory, loopback TCP only, passwords always, no
//! clash with a server that the system runs.

mod binaries;
mod cluster;
mod database;

pub use binaries::{Binaries, MIN_MAJOR};
pub use cluster::{Cluster, ClusterSettings};
pub use database::{Database, DatabaseServer, Group, OWNER};
pub(crate) use database::{create, exists};
