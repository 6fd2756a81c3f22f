//! The ambient inputs of a program: its clock and its random numbers.
//!
//! `clippy.toml` bans them everywhere else, so that all that a function depends on is an argument
//! of it, and a test can say what it is. `main` hands these functions on.

use std::time::SystemTime;

/// The time, by the clock of the machine.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub fn now() -> SystemTime {
    SystemTime::now()
}

/// A random number, for spreading work over time: not for secrets.
#[expect(clippy::disallowed_methods, reason = "the one place that draws random numbers")]
pub fn random() -> u64 {
    rand::random()
}

/// A random number in [0, 1), for spreading work over time: not for secrets.
#[expect(clippy::disallowed_methods, reason = "the one place that draws random numbers")]
pub fn fraction() -> f64 {
    rand::random()
}

/// Tells the time, as [`now`] does.
pub type Clock = fn() -> SystemTime;
/// Draws a number in [0, 1), as [`fraction`] does.
pub type Random = fn() -> f64;
