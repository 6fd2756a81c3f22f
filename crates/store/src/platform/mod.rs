//! The operator's side: cells, operator tokens and platform plans.

pub mod cell;
pub mod operator_token;
pub(crate) mod platform_plan;
