//! The commands for operators, beside serving.

pub mod bootstrap;
pub mod check;
mod database;
pub mod render;

pub use database::Database;
