//! The consumers of a site and their credentials.

pub mod consumer;
pub(crate) mod credential;
pub mod key;
pub mod signing_key;
