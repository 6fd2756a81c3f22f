//! The delta xDS protocol for one stream, as a state machine without I/O: it is fed requests and
//! notices of change, and is polled for responses. It has no clock, no channel and no task;
//! [`crate::grpc`] pumps it.
//!
//! The state of a stream is small: the subscription of each type, and the version of each resource
//! that the client has. Responses are not queued: a name that may have to be sent is marked, and
//! its content is decided when there is room for a response, from the snapshot as it is then. So a
//! slow client costs nothing, and skips the changes that it missed.

mod batch;
mod doubt;
mod event;
mod gate;
mod held;
mod idle;
mod listeners;
mod stream;
mod subscription;
mod through;
mod watermark;

pub use event::{Event, StreamError};
pub use stream::Stream;

#[cfg(test)]
mod doubt_tests;
#[cfg(test)]
mod idle_tests;
#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod order_tests;
#[cfg(test)]
mod rule_tests;
#[cfg(test)]
mod session;
#[cfg(test)]
mod watermark_tests;
