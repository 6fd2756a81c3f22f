//! The state of Envoys, as it is written down for the admin API: which are connected, how far each
//! is, and which resources they refuse.
//!
//! Streams tell a [`Roster`], which costs them nothing; one [`Recorder`] writes the news, a few
//! times a second at the most.

mod recorder;
pub(crate) mod report;
mod roster;

pub use recorder::Recorder;
pub use roster::{Roster, Seat};
