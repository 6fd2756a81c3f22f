//! The verdict of Envoy itself on resources: `envoy --mode validate` over a bootstrap that has them
//! all inline.
//!
//! Translation has rules that mirror Envoy's own; the tests find here what the rules overlook. If
//! an operator names an Envoy, the server also validates all that it serves ([`Pool`]). Envoy does
//! not ask its xDS servers then; checks that need endpoints by EDS, such as the one of the sum of
//! their weights, do not take place.

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
