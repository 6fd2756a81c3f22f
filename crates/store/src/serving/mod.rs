//! The data plane's side: desired state, connected Envoys, caches and usage.

pub mod desired;
pub mod dns_cache;
pub mod envoy;
pub mod jwks_cache;
pub mod left_out;
pub mod lookup;
pub mod quarantine;
pub mod usage;
