//! What Envoy itself says of resources: `envoy --mode validate` over a bootstrap that has them all
//! inline.
//!
//! Translation has rules that mirror Envoy's own; this is how the tests look for what the rules
//! overlook. Where an operator gives it an Envoy, the server looks for it as well, at all that it
//! serves ([`Pool`]). Envoy does not ask its xDS servers then; what it checks when it has endpoints
//! by EDS alone, such as the sum of their weights, it does not see here.

mod bootstrap;
mod pool;
mod queue;
pub(crate) mod report;
mod run;
mod verdict;

pub use bootstrap::bootstrap;
pub use pool::Pool;
pub use report::refused_by_validation;
pub use run::{Envoy, ValidateError};
pub use verdict::Verdict;
