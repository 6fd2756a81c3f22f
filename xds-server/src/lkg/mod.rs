//! The last known good state on disk, so that a start of this program needs no PostgreSQL.
//!
//! | part | what it does |
//! |---|---|
//! | `record` | the entries: resources by cell, type and name, in transactions with a number |
//! | `frame` | the bytes of a file: header, checksummed frames, sealing |
//! | `files` | a base file with everything, and a journal of what came after |
//! | `writer` | the task that follows the cells, and stores what changes |
//! | `restore` | the start from what was stored |
//!
//! # What the files promise
//! A base is written beside its name, synced, and renamed; so it is whole, or it is not there. The
//! journal is appended to, one write and one sync for each transaction. A transaction that was cut
//! off by the end of the program or of the machine is the last of its file, and counts as not
//! written. Damage of any other kind makes the state unusable, and is reported: to leave something
//! out of the middle could let in who was refused since.
//!
//! The files are readable by their owner alone. The served state holds secrets of signing keys and
//! issuers when there is a secrets key; then the files are sealed with it. Without one, no secret
//! is served, and they are in clear.

mod files;
mod frame;
mod record;
pub(crate) mod report;
mod restore;
mod writer;

pub use files::{Journal, Loaded, StateDir, StateError};
pub use frame::Sealing;
pub use record::{Commit, Entry, Place, State};
pub use restore::{restore, serve_restored};
pub use writer::Writer;

#[cfg(test)]
mod tests;
