//! Passwords: the rules for choosing one, and their storage.
//!
//! They are kept as argon2id hashes with the least parameters that OWASP recommends (19 MiB, two
//! passes), some 20 ms of a core. Hashing runs beside the requests and never on all cores at once,
//! so that logins cannot starve the rest of the service.

use std::fmt;
use std::sync::{Arc, LazyLock};

use argon2::password_hash::{self, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Deserializer};
use store::account::PasswordHash;
use tokio::sync::Semaphore;
use zxcvbn::Score;

use crate::forms::check::Check;
use crate::http::problem::Problem;
use crate::http::problem::request::INTERNAL;
use crate::secret;

/// The characters of a password. NIST SP 800-63B section 3.1.1.2 asks for no less than 8 beside a
/// second factor and 15 without one; twelve that cannot be guessed lie between. The upper bound
/// fits a sentence.
pub const CHARS: std::ops::RangeInclusive<usize> = 12..=128;
/// The characters that are looked at of a password that is only compared, and may be older than the
/// rules.
pub const MAX_COMPARED_CHARS: usize = 1_024;

/// A password in clear. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Takes a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The number of its characters.
    pub fn chars(&self) -> usize {
        self.0.chars().count()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(redacted)")
    }
}

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Takes any text: text that a client sends by mistake is not repeated in the error.
        String::deserialize(deserializer)
            .map(Self)
            .map_err(|_| serde::de::Error::custom("must be a string"))
    }
}

/// A hash that no password has: passwords of accounts without one are compared with it, so that the
/// work is the same.
static NOBODYS: LazyLock<Option<String>> =
    LazyLock::new(|| Some(hash(&Password::new("\0 nobody"), b"tenantry nobody\0").ok()?.0));

/// Hashes passwords. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Passwords {
    places: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        // Not within the first login, which would take twice the time.
        LazyLock::force(&NOBODYS);
        Self { places: Arc::new(Semaphore::new(cores.div_ceil(2))) }
    }
}

impl Passwords {
    /// Refuses a password that is too short or too easily guessed, also by the known words of the
    /// person.
    pub async fn check(
        &self,
        field: &'static str,
        password: &Password,
        known: &[&str],
    ) -> Result<(), Problem> {
        let mut check = Check::new();
        if !CHARS.contains(&password.chars()) {
            check.refuse(
                field,
                format!("must have {} to {} characters", CHARS.start(), CHARS.end()),
            );
            return check.finish();
        }
        let text = password.0.clone();
        let known: Vec<String> = known.iter().flat_map(|text| words(text)).collect();
        let advice = self
            .beside(move || {
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                let entropy = zxcvbn::zxcvbn(&text, &known);
                (entropy.score() < Score::Three).then(|| advice(&entropy))
            })
            .await?;
        if let Some(advice) = advice {
            check.refuse(field, advice);
        }
        check.finish()
    }

    /// Hashes a password.
    pub async fn hash(&self, password: Password) -> Result<PasswordHash, Problem> {
        let salt = secret::random::<16>()?;
        self.beside(move || hash(&password, &salt)).await?.map_err(|error| {
            tracing::error!(%error, "a password could not be hashed");
            INTERNAL.problem()
        })
    }

    /// Compares a password with a hash; without one, with a hash that no password has.
    pub async fn verify(
        &self,
        password: Password,
        with: Option<PasswordHash>,
    ) -> Result<bool, Problem> {
        let exists = with.is_some();
        let with = with.map(|hash| hash.0).or_else(|| NOBODYS.clone()).ok_or(&INTERNAL)?;
        let same = self.beside(move || {
            let hash = password_hash::PasswordHash::new(&with).ok();
            // The parameters are those of the hash.
            hash.is_some_and(|hash| {
                Argon2::default().verify_password(password.0.as_bytes(), &hash).is_ok()
            })
        });
        Ok(same.await? && exists)
    }

    async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| &INTERNAL)?;
        tokio::task::spawn_blocking(move || {
            // Given up when the work is done, though the request may have ended before.
            let _place = place;
            work()
        })
        .await
        .map_err(|_| INTERNAL.problem())
    }
}

fn hash(password: &Password, salt: &[u8; 16]) -> Result<PasswordHash, password_hash::Error> {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(19_456, 2, 1, None)?);
    let salt = SaltString::encode_b64(salt)?;
    Ok(PasswordHash(argon2.hash_password(password.0.as_bytes(), &salt)?.to_string()))
}

/// Words that an attacker would try first: the address, its parts, and the words of the name.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![text.to_lowercase()];
    words.extend(
        text.to_lowercase()
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| word.len() > 2)
            .map(str::to_owned),
    );
    words
}

/// The fault of a password, and its cure. Nothing of the password is in it.
fn advice(entropy: &zxcvbn::Entropy) -> String {
    let mut text = "is too easily guessed; use more, and less common, words".to_owned();
    if let Some(warning) = entropy.feedback().and_then(|feedback| feedback.warning()) {
        text = format!("{text} ({})", warning.to_string().trim_end_matches('.'));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_long_and_not_easily_guessed() {
        let passwords = Passwords::default();
        let known = ["ada.lovelace@example.com", "Ada Lovelace"];
        for (text, good) in [
            ("correct horse battery staple", true),
            ("tüchtig-wolken-7-gabel", true),
            ("short", false),
            ("password1234", false),
            ("aaaaaaaaaaaaaaaaaaaa", false),
            ("ada.lovelace@example.com", false),
            ("lovelaceada1", false),
            (&*"x7Q!".repeat(33), false),
        ] {
            let checked = passwords.check("password", &Password::new(text), &known).await;
            assert_eq!(checked.is_ok(), good, "{text}");
        }
    }

    #[tokio::test]
    async fn a_hash_is_of_one_password_and_shows_nothing() {
        let passwords = Passwords::default();
        let hash = passwords.hash(Password::new("correct horse")).await.unwrap();
        assert!(hash.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.0);
        assert!(
            passwords.verify(Password::new("correct horse"), Some(hash.clone())).await.unwrap()
        );
        assert!(
            !passwords.verify(Password::new("correct horsf"), Some(hash.clone())).await.unwrap()
        );
        assert_ne!(
            passwords.hash(Password::new("correct horse")).await.unwrap(),
            hash,
            "the salt is random"
        );
        assert_eq!(
            format!("{:?} {hash:?}", Password::new("x")),
            "Password(redacted) PasswordHash(redacted)"
        );
    }

    #[tokio::test]
    async fn nobodys_password_is_no_password_and_costs_the_same() {
        let passwords = Passwords::default();
        assert!(!passwords.verify(Password::new("\0 nobody"), None).await.unwrap());
        let nobodys = NOBODYS.clone().unwrap();
        let anybodys = passwords.hash(Password::new("x")).await.unwrap().0;
        let parameters =
            |hash: &str| hash.split('$').take(4).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(parameters(&nobodys), parameters(&anybodys));
    }
}
