//! The HTTP side of a request: bodies, extractors, the caller, answers and problems. Nothing here
//! knows the state of the service.

pub mod answer;
pub mod body;
pub mod caller;
pub mod etag;
pub mod extract;
pub mod idempotency;
pub mod problem;
pub mod request_id;
pub mod visitor;
