//! Tenants, and the people and programs that act in them.

pub(crate) mod allowance;
pub(crate) mod ending;
pub mod invitation;
pub mod member;
pub mod service_token;
pub(crate) mod standing;
pub mod tenant;
