//! From when until when a token may be used.

use super::json::Json;
use super::rejected::Rejected;

/// The last second of the year 9999. A later one is no date but a mistake, such as one in
/// milliseconds.
const MAX_DATE_S: f64 = 253_402_300_799.0;

/// The time in which a token may be used, in milliseconds since the Unix epoch, leeway included:
/// the first moment, and the first one after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from_ms: u64,
    pub(super) until_ms: u64,
}

impl Validity {
    /// Out of `exp`, `nbf` and `iat` (RFC 7519 section 4.1). A token has to expire, and what is
    /// there has to be a date. With an age it has to have `iat`, too.
    pub(super) fn of(
        claims: &Json,
        leeway_ms: u64,
        max_age_ms: Option<u64>,
    ) -> Result<Self, Rejected> {
        let expires = date_ms(claims, "exp")?.ok_or(Rejected::Undated)?;
        let not_before = date_ms(claims, "nbf")?;
        let issued = date_ms(claims, "iat")?;
        let from_ms = not_before.max(issued).unwrap_or(0).saturating_sub(leeway_ms);
        let too_old_ms = match (max_age_ms, issued) {
            (None, _) => u64::MAX,
            (Some(max_age), Some(issued)) => issued.saturating_add(max_age),
            (Some(_), None) => return Err(Rejected::Undated),
        };
        Ok(Self { from_ms, until_ms: expires.min(too_old_ms).saturating_add(leeway_ms) })
    }

    pub(super) fn check(self, now_ms: u64) -> Result<(), Rejected> {
        if now_ms < self.from_ms {
            Err(Rejected::NotYet)
        } else if now_ms >= self.until_ms {
            Err(Rejected::Expired)
        } else {
            Ok(())
        }
    }
}

pub(super) fn seconds_to_ms(seconds: u32) -> u64 {
    u64::from(seconds) * 1000
}

/// A NumericDate (RFC 7519 section 2): seconds since the Unix epoch, with or without a fraction, of
/// which milliseconds count.
fn date_ms(claims: &Json, claim: &str) -> Result<Option<u64>, Rejected> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "integers that a float cannot hold are out of bounds"
    )]
    let seconds = match claims.get(claim) {
        None => return Ok(None),
        Some(Json::Integer(seconds)) => *seconds as f64,
        Some(Json::Float(seconds)) => *seconds,
        Some(_) => return Err(Rejected::Undated),
    };
    if !(0.0..=MAX_DATE_S).contains(&seconds) {
        return Err(Rejected::Undated);
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it was just seen to be within bounds"
    )]
    Ok(Some((seconds * 1000.0) as u64))
}
