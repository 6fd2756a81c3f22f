//! A real Envoy against this server, with desired state from memory and without PostgreSQL and the
//! filter: what the filter decides, `x-tenantry-route`, is sent by the client.
//!
//! They need Envoy 1.40: `ENVOY_BIN`, or an `envoy` on PATH.

mod catching_up;
mod context;
mod eviction;
mod failures;
mod fixture;
mod gateway;
mod goldens;
mod http;
#[allow(dead_code, reason = "only sites are used here")]
#[path = "../golden/input.rs"]
mod input;
mod loading;
mod upstream;
mod validate;
