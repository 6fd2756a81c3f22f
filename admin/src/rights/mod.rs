//! Rights: which caller may use which operation.

pub mod access;
pub mod nouns;
pub mod permissions;
pub mod place;
pub mod scopes;
pub mod table;
