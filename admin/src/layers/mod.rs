//! The layers around every operation, from the outside in: [`observe`], [`rate_limit`] by address,
//! [`authorize`], [`rate_limit`] by principal, [`receipt`].

pub mod authorize;
pub mod observe;
pub mod rate_limit;
pub mod receipt;
