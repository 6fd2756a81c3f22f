//! Sites and all that is published in them.

pub mod api;
pub mod hostname;
pub mod issuer;
pub mod plan;
pub mod route;
pub mod site;
pub mod upstream;
pub mod version;
