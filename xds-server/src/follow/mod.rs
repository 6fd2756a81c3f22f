//! Keeps the snapshots of all cells equal to the database: everything once, then the changes of
//! the log.
//!
//! The log is read from the last sequence number that was read, so nothing is missed when
//! connections are lost; notifications only say when to look. Changes are applied in steps that are
//! fair to all tenants. While PostgreSQL is away the snapshot stays as it is and goes on being
//! served.
//!
//! | part | what it does |
//! |---|---|
//! | `follower` | reads the log, and decides when to read again |
//! | `pending` | the changes that wait, and whose turn it is |
//! | `read`, `load` | reading sites, listeners and credentials: those of a step, or all |
//! | `publisher` | translating them and giving them to the cells |
//! | `placed` | the cells of each site |
//! | `spans` | the way of a change, for traces |

mod follower;
mod load;
mod pending;
mod placed;
mod publisher;
mod read;
pub(crate) mod report;
mod spans;

pub use follower::{Followed, Follower};
pub use publisher::{Publisher, Serving};
