//! Proofs of identity: passwords, access tokens, and one-time passwords.

pub mod access_token;
pub mod password;
pub mod totp;
