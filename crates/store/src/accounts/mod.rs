//! Accounts of people: passwords, sessions, second factors and the mail sent to them.

pub mod access_token_key;
pub mod account;
pub mod attempt;
pub mod email_token;
pub mod outbox;
pub mod session;
pub mod signup;
pub mod totp;
