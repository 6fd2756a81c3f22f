//! What a client is told: `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10), `Retry-After` (RFC 9110,
//! section 10.2.3). Field values are structured fields (RFC 9651).

use super::{Limit, Measure, Standing, Zone};

/// The most that an integer of a structured field can say (RFC 9651, section 3.3.1).
const INTEGER_MAX: u64 = 999_999_999_999_999;

/// Room for what stands around a name, in bytes: quotes, and two parameters of up to 15 digits.
const PARAMETERS_LEN: usize = 40;

/// `RateLimit`: the limit's name, `r` what remains, `t` seconds until there is more (absent if that is never).
/// For instance `"per key";r=17;t=1`.
pub fn ratelimit(standing: &Standing<'_>) -> String {
    let mut value = String::with_capacity(standing.limit.name.len() + PARAMETERS_LEN);
    push_string(&mut value, &standing.limit.name);
    push_parameter(&mut value, ";r=", standing.remaining);
    if standing.reset_ms < u64::MAX {
        push_parameter(&mut value, ";t=", standing.reset_ms.div_ceil(1_000));
    }
    value
}

/// `RateLimit-Policy`: each limit with `q`, what it allows in `w` seconds. Empty if there are no limits: the header is left out
/// then. Constant for a rate; for a quota `w` is the length of the window that `now_ms` is in, so that a value may be kept until
/// that ends.
pub fn ratelimit_policy<'a>(limits: impl IntoIterator<Item = (&'a Limit, &'a Zone)>, now_ms: u64) -> String {
    let mut value = String::new();
    for (limit, zone) in limits {
        if !value.is_empty() {
            value.push_str(", ");
        }
        value.reserve(limit.name.len() + PARAMETERS_LEN);
        let (quota, window_s) = quota_and_window(&limit.measure, zone, now_ms);
        push_string(&mut value, &limit.name);
        push_parameter(&mut value, ";q=", quota);
        push_parameter(&mut value, ";w=", window_s);
    }
    value
}

/// `Retry-After` in whole seconds, rounded up, at least 1. `None` if waiting does not help.
pub fn retry_after(standing: &Standing<'_>) -> Option<String> {
    let mut value = String::new();
    push_parameter(&mut value, "", Some(standing.reset_ms).filter(|ms| *ms < u64::MAX)?.div_ceil(1_000).max(1));
    Some(value)
}

fn quota_and_window(measure: &Measure, zone: &Zone, now_ms: u64) -> (u64, u64) {
    match *measure {
        Measure::Rate { requests, per_ms, .. } => {
            // A window is whole seconds: a period that is not is told as the next longer one, with what comes back in it.
            let window_s = u64::from(per_ms).div_ceil(1_000).max(1);
            let per_ms = u64::from(per_ms.max(1));
            (u64::from(requests).saturating_mul(window_s.saturating_mul(1_000)) / per_ms, window_s)
        }
        Measure::Quota { requests, window } => {
            let bounds = window.bounds(zone, now_ms);
            (requests, bounds.end_ms.saturating_sub(bounds.start_ms).div_ceil(1_000))
        }
    }
}

/// A string of a structured field (RFC 9651, section 3.3.3). It has no room for anything but printable ASCII: other bytes of a
/// name are written as `%` and two hexadecimal digits, in UTF-8.
fn push_string(to: &mut String, name: &str) {
    to.push('"');
    // Nearly all names, and in one piece.
    if name.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\') {
        to.push_str(name);
        to.push('"');
        return;
    }
    for byte in name.bytes() {
        match byte {
            b'"' | b'\\' => to.extend(['\\', char::from(byte)]),
            b' '..=b'~' => to.push(char::from(byte)),
            _ => {
                to.push('%');
                to.extend(
                    [byte >> 4, byte & 0xf].map(|digit| char::from(digit + if digit < 10 { b'0' } else { b'A' - 10 })),
                );
            }
        }
    }
    to.push('"');
}

fn push_parameter(to: &mut String, name: &str, value: u64) {
    to.push_str(name);
    let mut value = value.min(INTEGER_MAX);
    let mut digits = [b'0'; 15];
    let mut len = 0;
    // By hand: this runs for each request, and `fmt` takes several times as long.
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
        len += 1;
        if value == 0 {
            break;
        }
    }
    let digits = digits.get(digits.len() - len..).unwrap_or_default();
    to.push_str(std::str::from_utf8(digits).unwrap_or_default());
}

#[cfg(test)]
#[path = "headers_tests.rs"]
mod tests;
