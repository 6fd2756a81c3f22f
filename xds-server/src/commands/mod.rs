//! What the program does for operators besides serving.

pub mod bootstrap;
pub mod check;
mod database;
pub mod render;

pub use database::Database;
