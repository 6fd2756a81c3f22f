//! The layers around every operation, from the outside in: [`observe`], [`throttle`] by address,
//! [`authorize`], [`throttle`] by principal, [`receipt`].

pub mod authorize;
pub mod observe;
pub mod receipt;
pub mod throttle;
