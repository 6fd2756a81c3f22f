//! The consumers of a site and their credentials.

pub mod consumer;
pub mod key;
pub mod signing_key;
