//! What Envoy itself says of resources: `envoy --mode validate` over a bootstrap that has them all inline.
//!
//! Translation has rules that mirror Envoy's own; this is how the tests look for what the rules overlook.

mod bootstrap;
mod run;

pub use bootstrap::bootstrap;
pub use run::{Envoy, ValidateError};
