//! The headers that tell a client of its limits: `RateLimit` and `RateLimit-Policy`
//! (draft-ietf-httpapi-ratelimit-headers-10), `Retry-After` (RFC 9110, section 10.2.3). Field
//! values are structured fields (RFC 9651).

use super::{Limit, Measure, Standing, Zone};

/// The most that an integer of a structured field can say (RFC 9651, section 3.3.1).
const INTEGER_MAX: u64 = 999_999_999_999_999;

/// Room for the text behind a name, in bytes: two parameters of up to 15 digits.
const PARAMETERS_LEN: usize = 40;

/// The parts of the headers that do not depend on a limit's standing, ready to be sent: made once,
/// when the limit is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// `RateLimit` up to the figures that change.
    standing: Box<[u8]>,
    /// `RateLimit-Policy`: all of it for a rate; up to the length of the window for a quota.
    policy: Box<[u8]>,
}

impl Told {
    pub(super) fn of(name: &str, measure: &Measure) -> Self {
        let mut name_only = Vec::new();
        push_string(&mut name_only, name);
        let standing = [&name_only[..], b";r="].concat();
        let (quota, window_s) = match *measure {
            Measure::Rate { requests, per_ms, .. } => {
                // A window is whole seconds: a period that is not is told as the next longer one,
                // with what comes back in it.
                let window_s = u64::from(per_ms).div_ceil(1_000).max(1);
                let per_ms = u64::from(per_ms.max(1));
                let quota =
                    u64::from(requests).saturating_mul(window_s.saturating_mul(1_000)) / per_ms;
                (quota, Some(window_s))
            }
            Measure::Quota { requests, .. } => (requests, None),
        };
        let mut policy = name_only;
        policy.extend_from_slice(b";q=");
        push_number(&mut policy, quota);
        policy.extend_from_slice(b";w=");
        if let Some(window_s) = window_s {
            push_number(&mut policy, window_s);
        }
        Self { standing: standing.into(), policy: policy.into() }
    }
}

/// `RateLimit`: the limit's name, `r` the requests that remain, `t` seconds until there is more
/// (absent if that is never). For instance `"per key";r=17;t=1`.
pub fn ratelimit(standing: &Standing<'_>) -> Vec<u8> {
    let start = &standing.limit.told.standing;
    let mut value = Vec::with_capacity(start.len() + PARAMETERS_LEN);
    value.extend_from_slice(start);
    push_number(&mut value, standing.remaining);
    if standing.reset_ms < u64::MAX {
        value.extend_from_slice(b";t=");
        push_number(&mut value, standing.reset_ms.div_ceil(1_000));
    }
    value
}

/// `RateLimit-Policy`: the limit with `q`, the requests that it allows in `w` seconds. Constant for
/// a rate; for a quota `w` is the length of the window that `now_ms` is in, so that a value may be
/// kept until that ends.
pub fn ratelimit_policy(limit: &Limit, zone: &Zone, now_ms: u64) -> Vec<u8> {
    let start = &limit.told.policy;
    let mut value = Vec::with_capacity(start.len() + PARAMETERS_LEN);
    value.extend_from_slice(start);
    if let Measure::Quota { window, .. } = limit.measure {
        let bounds = window.bounds(zone, now_ms);
        push_number(&mut value, bounds.end_ms.saturating_sub(bounds.start_ms).div_ceil(1_000));
    }
    value
}

/// `Retry-After` in whole seconds, rounded up, at least 1. `None` if waiting does not help.
pub fn retry_after(standing: &Standing<'_>) -> Option<String> {
    let wait_ms = Some(standing.reset_ms).filter(|ms| *ms < u64::MAX)?;
    Some(wait_ms.div_ceil(1_000).clamp(1, INTEGER_MAX).to_string())
}

/// A string of a structured field (RFC 9651, section 3.3.3). It has no room for anything but
/// printable ASCII: other bytes of a name are written as `%` and two hexadecimal digits, in UTF-8.
fn push_string(to: &mut Vec<u8>, name: &str) {
    to.push(b'"');
    for byte in name.bytes() {
        match byte {
            b'"' | b'\\' => to.extend([b'\\', byte]),
            b' '..=b'~' => to.push(byte),
            _ => {
                let digit = |digit: u8| digit + if digit < 10 { b'0' } else { b'A' - 10 };
                to.extend([b'%', digit(byte >> 4), digit(byte & 0xf)]);
            }
        }
    }
    to.push(b'"');
}

/// Two digits at a time and without `fmt`: this runs twice for each request.
fn push_number(to: &mut Vec<u8>, value: u64) {
    let mut rest = value.min(INTEGER_MAX);
    let mut digits = [0; 16];
    let mut len = 0;
    for pair in digits.as_chunks_mut::<2>().0.iter_mut().rev() {
        let two = u8::try_from(rest % 100).unwrap_or(0);
        *pair = [b'0' + two / 10, b'0' + two % 10];
        rest /= 100;
        len += 2;
        if rest == 0 {
            len -= usize::from(two < 10);
            break;
        }
    }
    to.extend_from_slice(digits.get(digits.len() - len..).unwrap_or_default());
}

#[cfg(test)]
#[path = "headers_tests.rs"]
mod tests;
