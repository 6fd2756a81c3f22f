//! One-time codes of a shared secret and the time (RFC 6238): six digits of HMAC with SHA-1, every
//! thirty seconds, because authenticators know only that.

use chrono::{DateTime, Utc};
use data_encoding::BASE32_NOPAD;
use hmac_sha1_compact::HMAC;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use subtle::ConstantTimeEq as _;

/// The bytes of a secret: as many as SHA-1 gives (RFC 4226 section 4, R6).
pub const SECRET_BYTES: usize = 20;
const STEP_SECONDS: i64 = 30;
/// The steps by which the clock of an authenticator may be off, either way (RFC 6238 section 5.2).
const WINDOW: i64 = 1;
const DIGITS: u32 = 6;
/// All but the unreserved characters (RFC 3986 section 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The step that a code is of, if it is of one that is near the time and later than the last one
/// that was taken.
pub fn step_of(secret: &[u8], code: &str, now: DateTime<Utc>, last_step: i64) -> Option<i64> {
    let current = now.timestamp().div_euclid(STEP_SECONDS);
    let mut found = None;
    // All are compared, whichever it is.
    for step in current - WINDOW..=current + WINDOW {
        let expected =
            format!("{:0width$}", code_of(secret, step, DIGITS), width = DIGITS as usize);
        let same = bool::from(expected.as_bytes().ct_eq(code.as_bytes()));
        if same && step > last_step && found.is_none() {
            found = Some(step);
        }
    }
    found
}

/// RFC 4226 section 5.3, with the step as the counter.
fn code_of(secret: &[u8], step: i64, digits: u32) -> u32 {
    let mac = HMAC::mac(&step.to_be_bytes(), secret);
    let offset = usize::from(mac.last().copied().unwrap_or_default() & 0x0f);
    let chosen = mac
        .get(offset..offset + 4)
        .and_then(|bytes| bytes.try_into().ok())
        .map_or(0, u32::from_be_bytes);
    (chosen & 0x7fff_ffff) % 10_u32.pow(digits)
}

/// The secret as people type it into an authenticator: base32 (RFC 4648 section 6) without padding.
pub fn base32(secret: &[u8]) -> String {
    BASE32_NOPAD.encode(secret)
}

/// The text of a QR code for authenticators (the Key Uri Format).
pub fn uri(email: &str, secret: &[u8]) -> String {
    format!(
        "otpauth://totp/Tenantry:{}?secret={}&issuer=Tenantry&algorithm=SHA1&digits=6&period=30",
        utf8_percent_encode(email, RESERVED),
        base32(secret)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"12345678901234567890";

    #[test]
    fn the_codes_are_those_of_rfc_6238() {
        // Appendix B, the rows of SHA-1.
        for (time, code) in [
            (59, 94_287_082),
            (1_111_111_109, 7_081_804),
            (1_111_111_111, 14_050_471),
            (1_234_567_890, 89_005_924),
            (2_000_000_000, 69_279_037),
            (20_000_000_000, 65_353_130),
        ] {
            assert_eq!(code_of(SECRET, time / STEP_SECONDS, 8), code, "{time}");
        }
    }

    #[test]
    fn a_code_is_good_one_step_early_and_one_step_late_and_once() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        // The code of the step from 30 to 59.
        let code = "287082";
        for (time, good) in
            [(-1, false), (0, true), (30, true), (59, true), (89, true), (90, false)]
        {
            assert_eq!(step_of(SECRET, code, at(time), 0).is_some(), good, "{time}");
        }
        assert_eq!(step_of(SECRET, code, at(59), 0), Some(1));
        assert_eq!(step_of(SECRET, code, at(59), 1), None, "it was taken");
        for wrong in ["287083", "28708", "2870822", "", "28708x"] {
            assert_eq!(step_of(SECRET, wrong, at(59), 0), None, "{wrong}");
        }
    }

    #[test]
    fn secrets_are_written_in_base32() {
        // RFC 4648 section 10, without padding.
        for (bytes, text) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(base32(bytes.as_bytes()), text);
        }
        let uri = uri("ada+x@example.com", SECRET);
        assert!(
            uri.starts_with(
                "otpauth://totp/Tenantry:ada%2Bx%40example.com\
                 ?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&"
            ),
            "{uri}"
        );
    }
}
