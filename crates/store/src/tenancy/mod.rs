//! Tenants, and the people and programs that act in them.

pub mod invitation;
pub mod member;
pub mod service_token;
pub(crate) mod standing;
pub mod tenant;
