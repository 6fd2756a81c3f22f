//! Secrets: tokens and API keys are made and read here.

use std::fmt;

use policy::key::{ApiKey, Environment};
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// 40 base62 characters are 238 bits.
const RANDOM_CHARS: usize = 40;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The system gave no random bytes.
#[derive(Debug, Error)]
#[error("the system's random generator failed")]
pub struct NoRandomness;

/// Random bytes from the system.
pub fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    OsRng.try_fill_bytes(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// A new API key.
pub fn api_key(environment: Environment) -> Result<ApiKey, NoRandomness> {
    ApiKey::from_random(environment, &random::<64>()?).ok_or(NoRandomness)
}

/// The bytes of the secret of an HMAC signing key: as many as the block of SHA-256, beyond which a
/// key is hashed first and gains nothing (RFC 2104 section 3).
pub const HMAC_KEY_BYTES: usize = 64;

/// Declares kinds of bearer tokens: a prefix and 40 base62 characters. Their `Debug` does not show
/// them.
macro_rules! tokens {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal,)*) => {$(
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(String);

        impl $name {
            /// Draws a new token.
            pub fn generate() -> Result<Self, NoRandomness> {
                Ok(Self(format!("{}{}", $prefix, base62()?)))
            }

            /// Reads a presented token; `None` if it does not have the form of one, so that it
            /// needs no lookup.
            pub fn parse(text: &str) -> Option<Self> {
                let random = text.strip_prefix($prefix)?;
                let well_formed = random.len() == RANDOM_CHARS
                    && random.bytes().all(|byte| byte.is_ascii_alphanumeric());
                well_formed.then(|| Self(text.to_owned()))
            }

            /// The SHA-256 under which it is stored and found. It has 238 random bits: no slow hash
            /// is needed, and the time of the lookup says nothing about a token that cannot be
            /// guessed.
            pub fn digest(&self) -> [u8; 32] {
                Sha256::digest(self.0.as_bytes()).into()
            }

            /// The beginning and the end of its text, to tell tokens apart: 8 of the 40 characters.
            pub fn hint(&self) -> String {
                let start = self.0.get(..$prefix.len() + 4).unwrap_or_default();
                let end = self.0.get(self.0.len() - 4..).unwrap_or_default();
                format!("{start}...{end}")
            }

            /// The text: for the one time that it is shown, and for deriving keys. Never log it.
            pub fn reveal(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(redacted)"))
            }
        }
    )*};
}

tokens! {
    /// The token of an operator.
    OperatorToken = "tno_",
    /// The token of a tenant's program.
    ServiceToken = "tns_",
    /// The token in the link of an invitation.
    InvitationToken = "tni_",
    /// The token that renews an access token.
    RefreshToken = "tnr_",
    /// The token in the link of an e-mail that proves an address.
    EmailToken = "tne_",
}

fn base62() -> Result<String, NoRandomness> {
    // Bytes of 248 and above would make some characters likelier than others; more than 50 of 96
    // are almost never so.
    let bytes = random::<96>()?;
    let usable = bytes.iter().filter(|byte| **byte < 248).take(RANDOM_CHARS);
    let text: String = usable.map(|byte| char::from(ALPHABET[usize::from(byte % 62)])).collect();
    if text.len() == RANDOM_CHARS { Ok(text) } else { Err(NoRandomness) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_and_does_not_show_itself() {
        let token = OperatorToken::generate().unwrap();
        let read = OperatorToken::parse(token.reveal()).unwrap();
        assert_eq!(read.digest(), token.digest());
        assert_eq!(format!("{token:?}"), "OperatorToken(redacted)");
    }

    #[test]
    fn what_has_another_form_is_no_token() {
        let good = OperatorToken::generate().unwrap().reveal().to_owned();
        for text in [
            "",
            "tno_",
            &good[1..],
            &good[..43],
            &format!("{good}a"),
            &good.replace("tno_", "tnt_"),
        ] {
            assert!(OperatorToken::parse(text).is_none(), "{text}");
        }
    }
}
