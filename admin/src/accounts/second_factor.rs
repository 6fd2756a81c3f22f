//! The second factor: a code of an authenticator, or a recovery code.

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use store::account::AccountId;
use store::totp;
use store::{Actor, PlatformTx};

use super::attempts::Try;
use crate::app::App;
use crate::http::problem::Problem;
use crate::identity::totp::step_of;
use crate::secret;

/// The number of recovery codes: enough for some years of lost telephones.
pub const RECOVERY_CODES: usize = 10;
/// Letters and digits that are not mistaken for each other: 32, so that each stands for five bits.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz234567890";
/// 16 characters are 80 bits, too many to guess, so SHA-256 protects the code.
const CODE_CHARS: usize = 16;

/// The proof of a second factor. Its `Debug` does not show it.
#[derive(Clone, Default)]
pub struct Proof {
    /// The six digits that the authenticator shows.
    pub code: Option<String>,
    /// One of the recovery codes, in place of `code`. Blanks and hyphens do not matter.
    pub recovery_code: Option<String>,
}

impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Proof(redacted)")
    }
}

impl Proof {
    /// True if nothing was given.
    pub fn is_empty(&self) -> bool {
        self.code.is_none() && self.recovery_code.is_none()
    }

    /// Counts the try, in a transaction of its own: tries at the same time are counted before any
    /// of them is compared.
    pub async fn begin(
        app: &App,
        actor: &Actor,
        account: AccountId,
        now: DateTime<Utc>,
    ) -> Result<Try, Problem> {
        let mut tx = app.store.platform(actor).await?;
        let attempt = Try::of_factor(&mut tx, account, now).await?;
        tx.commit().await?;
        Ok(attempt)
    }

    /// Takes the proof, which is good once. Commit only if it was.
    pub async fn take(
        &self,
        app: &App,
        tx: &mut PlatformTx,
        account: AccountId,
        now: DateTime<Utc>,
    ) -> Result<bool, Problem> {
        if let Some(code) = &self.recovery_code {
            return Ok(totp::use_recovery_code(tx, account, &digest(account, code), now).await?);
        }
        let Some(code) = &self.code else { return Ok(false) };
        let factor = totp::lock(tx, app.secrets.as_deref(), account).await?;
        let Some(factor) = factor.filter(|factor| factor.confirmed_at.is_some()) else {
            return Ok(false);
        };
        let Some(step) = step_of(&factor.secret.0, code, now, factor.last_step) else {
            return Ok(false);
        };
        totp::use_step(tx, account, step).await?;
        Ok(true)
    }
}

/// Draws recovery codes: as they are shown, and as they are kept.
pub fn recovery_codes(account: AccountId) -> Result<Vec<(String, [u8; 32])>, Problem> {
    (0..RECOVERY_CODES)
        .map(|_| {
            let bytes: [u8; CODE_CHARS] = secret::random()?;
            let chars: Vec<char> =
                bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
            let groups: Vec<String> = chars.chunks(4).map(|group| group.iter().collect()).collect();
            let code = groups.join("-");
            let digest = digest(account, &code);
            Ok((code, digest))
        })
        .collect()
}

/// The digest of a code and its account, without the characters that people add to or leave out of
/// the code.
fn digest(account: AccountId, code: &str) -> [u8; 32] {
    let code: String =
        code.chars().filter(|c| c.is_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect();
    let mut hash = Sha256::new();
    hash.update(account.0.as_bytes());
    hash.update(code.as_bytes());
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovery_codes_are_different_and_forgive_how_they_are_typed() {
        let account = AccountId(uuid::Uuid::from_u128(7));
        let codes = recovery_codes(account).unwrap();
        let different: std::collections::BTreeSet<_> =
            codes.iter().map(|(_, digest)| digest).collect();
        assert_eq!(different.len(), RECOVERY_CODES);
        for (code, kept) in &codes {
            assert_eq!(code.len(), 19);
            assert_eq!(
                digest(account, &format!(" {} ", code.to_uppercase().replace('-', ""))),
                *kept
            );
            assert_ne!(digest(AccountId(uuid::Uuid::from_u128(8)), code), *kept);
        }
    }
}
