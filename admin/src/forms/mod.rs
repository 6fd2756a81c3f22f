//! Parts of requests that several nouns share: ids in paths, pages of lists, settings, and the
//! checks that name every wrong field.

pub mod check;
pub mod given;
pub mod ids;
pub mod page;
pub mod settings;
