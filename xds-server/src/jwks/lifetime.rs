//! The lifetime of a set, by the headers of the answer.

use std::time::Duration;

/// The shortest lifetime, even if the issuer gives a shorter one: it bounds the requests of all
/// sites of a platform to one issuer.
pub const MIN_LIFETIME: Duration = Duration::from_secs(5 * 60);
/// The longest: a key that was taken away is not good for longer than a day.
pub const MAX_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// The lifetime if the issuer gives none.
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// The lifetime of an answer with these values of `Cache-Control` (RFC 9111 section 5.2.2) and this
/// `Age` (section 5.1).
pub fn lifetime<'a>(
    cache_control: impl IntoIterator<Item = &'a str>,
    age: Option<&str>,
) -> Duration {
    let mut said: Option<u64> = None;
    for directive in cache_control.into_iter().flat_map(|value| value.split(',')) {
        let (name, argument) = directive.split_once('=').unwrap_or((directive, ""));
        let name = name.trim();
        let seconds =
            if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
                Some(0)
            } else if name.eq_ignore_ascii_case("max-age") {
                argument.trim().trim_matches('"').parse().ok()
            } else {
                None
            };
        said = seconds.into_iter().chain(said).min();
    }
    let age = age.and_then(|age| age.trim().parse().ok()).unwrap_or(0);
    said.map_or(DEFAULT_LIFETIME, |said| Duration::from_secs(said.saturating_sub(age)))
        .clamp(MIN_LIFETIME, MAX_LIFETIME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_issuer_says_holds_within_bounds() {
        for (cache_control, age, seconds) in [
            (&[][..], None, 3600),
            (&["public"], None, 3600),
            (&["max-age=7200"], None, 7200),
            (&["public, Max-Age = \"7200\", must-revalidate"], None, 7200),
            (&["max-age=7200"], Some("600"), 6600),
            (&["max-age=7200"], Some("7200"), 300),
            (&["max-age=7200"], Some("9000"), 300),
            (&["max-age=7200"], Some("soon"), 7200),
            (&["max-age=1"], None, 300),
            (&["max-age=99999999"], None, 86_400),
            (&["max-age=18446744073709551615"], None, 86_400),
            (&["max-age=99999999999999999999"], None, 3600),
            (&["max-age=-1"], None, 3600),
            (&["no-store"], None, 300),
            (&["max-age=7200, no-cache"], None, 300),
            (&["max-age=7200", "max-age=1800"], None, 1800),
        ] {
            let found = lifetime(cache_control.iter().copied(), age);
            assert_eq!(found, Duration::from_secs(seconds), "{cache_control:?} {age:?}");
        }
    }
}
