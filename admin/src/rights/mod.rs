//! Rights: which caller may use which operation.

pub mod nouns;
