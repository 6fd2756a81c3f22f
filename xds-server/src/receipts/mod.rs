//! What is known of the Envoys, and written down for whoever asks: which are connected, how far
//! each is, and what they refuse.
//!
//! Streams tell a [`Roster`], which costs them nothing; one [`Recorder`] writes what is new, a few
//! times a second at the most.

mod recorder;
pub(crate) mod report;
mod roster;

pub use recorder::Recorder;
pub use roster::{Roster, Seat};
