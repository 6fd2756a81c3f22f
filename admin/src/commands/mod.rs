//! Commands of the program beside `serve`, and the token that the first start makes.

pub mod audit;
pub mod first_operator;
