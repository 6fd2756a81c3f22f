//! The names under which the filter keeps facts about a request in Envoy's filter state, for the
//! access log and for itself. Envoy's own formats name them with `wasm.` before
//! ([`ACCESS_LOG_PREFIX`]).

/// The reason of a refusal ([`crate::refusal::Refusal::reason`]), for the access log.
pub const REFUSAL: &str = "tenantry_refusal";

/// The mark of a request that was counted, with the `RateLimit` fields of its answer. Such a
/// request may come by again when Envoy has loaded its routes, and is not counted twice.
pub const COUNTED: &str = "tenantry_counted";

/// The prefix of these names in Envoy's formats.
pub const ACCESS_LOG_PREFIX: &str = "wasm.";
