//! Command-line flags that have one meaning in all programs.

mod database_url;
mod old_variable;
mod upstreams;

pub use database_url::DatabaseUrl;
pub use old_variable::{OldVariable, refuse_old_variable};
pub use upstreams::Upstreams;
