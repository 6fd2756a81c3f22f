//! A real Envoy against this server, with desired state from memory, without PostgreSQL and without
//! the filter: the client sends `x-tenantry-route`, which the filter would set.
//!
//! These tests need Envoy 1.40: `ENVOY_BIN`, or an `envoy` on PATH.

mod catching_up;
mod context;
mod eviction;
mod failures;
mod fixture;
mod gateway;
mod goldens;
mod http;
#[expect(dead_code, reason = "only sites are used here")]
#[path = "../golden/input.rs"]
mod input;
mod loading;
mod upstream;
mod validate;
