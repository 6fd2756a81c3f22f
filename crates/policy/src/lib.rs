//! The pure core of Tenantry: identities, API keys, host and path matching, the decision about a
//! request, and the formats in which the control plane pushes all that to the filter.
//!
//! Architecture invariant: this crate has no I/O, no clock and no randomness of its own, and no
//! panic. It builds for wasm32 and natively, so that the tested code is the code
//! that runs in Envoy.

#![warn(missing_docs)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod address;
mod admission;
mod auth;
pub mod bounds;
pub mod cache;
pub mod cell;
pub mod concurrency;
pub mod consumer;
pub mod credential;
pub mod decision;
pub mod desired;
pub mod digest_field;
mod encode;
pub mod filter_state;
pub mod gauge;
pub mod hash;
pub mod header_name;
pub mod headers;
pub mod host;
pub mod id;
pub mod ip;
pub mod jwt;
pub mod key;
pub mod key_tag;
pub mod limit;
pub mod method;
pub mod mirror;
pub mod mirror_wire;
pub mod nonce;
pub mod path;
pub mod refusal;
pub mod request;
pub mod requirement;
pub mod router;
pub mod rule;
mod scan;
pub mod settings;
pub mod signature;
pub mod site;
pub mod state;
pub mod stats;
pub mod strict_json;
mod time;
pub mod trace_parent;
pub mod upstream;
pub mod usage;
pub mod wire;
