//! The proxy-wasm filter of Tenantry: the adapter between Envoy's ABI and the pure core, `policy`.
//!
//! One module, two roles, told apart by the VM's configuration: in the HTTP filter chain it decides
//! about requests ([`http`]), and reports what it has let through ([`report`]); as the singleton of
//! a bootstrap extension it mirrors the control plane's state into shared data ([`mirror`]).
//! Envoy calls the functions in [`callbacks`].
//!
//! Architecture invariant: no decision is taken here. Envoy's input is handed to `policy`, its
//! answer is carried out, and every error ends in [`http::fail_closed`].

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod abi;
mod body;
mod callbacks;
mod config;
mod exchanges;
#[cfg(feature = "fault-injection")]
mod fault;
mod filter_state;
mod http;
mod metrics;
mod mirror;
mod pool;
mod pushed;
mod report;
mod root;
mod shared;
mod shortcuts;
mod vm;
