//! The HTTP side of a request: its caller, and entity tags. Nothing here knows the state of the
//! service.

pub mod caller;
pub mod etag;
