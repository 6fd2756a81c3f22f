//! Sites and all that is published in them.

pub mod api;
pub(crate) mod copy;
pub mod hostname;
pub mod issuer;
pub(crate) mod lock;
pub(crate) mod objects;
pub mod plan;
pub mod route;
pub(crate) mod site;
pub mod upstream;
pub mod version;
