//! Checks of single fields. All faults of a body are collected, so that a client can mend them in
//! one go.

use std::fmt::Display;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use policy::address::AddressRules;
use policy::host::{is_dns_name, is_label};
use policy::path::MAX_BASE_PATH_SEGMENTS;

use crate::bounds;
use crate::http::problem::{FieldError, Problem};

/// Collects the faults of a request.
#[derive(Debug, Default)]
pub struct Check {
    errors: Vec<FieldError>,
}

impl Check {
    /// Nothing wrong so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says that a field is wrong.
    pub fn refuse(&mut self, field: impl Into<String>, message: impl Display) {
        self.errors.push(FieldError::new(field, message.to_string()));
    }

    /// The problem, if anything was wrong.
    pub fn finish(self) -> Result<(), Problem> {
        if self.errors.is_empty() { Ok(()) } else { Err(Problem::invalid(self.errors)) }
    }

    /// Takes a parsed value, or notes the reason why it could not be parsed.
    pub fn take<T>(&mut self, field: &str, parsed: Result<T, impl Display>) -> Option<T> {
        parsed.map_err(|error| self.refuse(field, error)).ok()
    }

    /// A name for people: 1 to 200 characters, no control characters, no blanks at either end.
    pub fn name(&mut self, field: &str, name: &str) {
        let chars = name.chars().count();
        if chars == 0 || chars > bounds::NAME_CHARS {
            self.refuse(field, format!("must have 1 to {} characters", bounds::NAME_CHARS));
        } else if name.chars().any(char::is_control) {
            self.refuse(field, "must not have control characters");
        } else if name.trim() != name {
            self.refuse(field, "must not begin or end with a blank");
        }
    }

    /// An e-mail address, by its form: only an e-mail shows if it exists.
    pub fn email(&mut self, field: &str, email: &str) {
        let email = email.trim();
        let blank = |c: char| c.is_control() || c.is_whitespace();
        let well_formed = email.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty()
                && !domain.is_empty()
                && !domain.contains('@')
                && !email.contains(blank)
        });
        if !well_formed || email.chars().count() > bounds::EMAIL_CHARS {
            self.refuse(
                field,
                format!(
                    "must be an address like ada@example.com, of {} characters at most",
                    bounds::EMAIL_CHARS
                ),
            );
        }
    }

    /// One DNS label in lower case that the platform does not keep for itself.
    pub fn slug(&mut self, field: &str, slug: &str) {
        if !is_label(slug) {
            self.refuse(
                field,
                "must have 1 to 63 characters of a-z, 0-9 and `-`, and begin and end with a letter \
                 or a digit",
            );
        } else if bounds::RESERVED_SLUGS.contains(&slug) {
            self.refuse(field, format!("`{slug}` is reserved"));
        }
    }

    /// The name of a version: it becomes a segment of every path.
    pub fn version_name(&mut self, field: &str, name: &str) {
        let first = name
            .bytes()
            .next()
            .is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let rest = name.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-')
        });
        if !first || !rest || name.len() > bounds::VERSION_CHARS {
            self.refuse(
                field,
                "must have 1 to 32 characters of a-z, 0-9, `.`, `_` and `-`, and begin with a \
                 letter or a digit",
            );
        }
    }

    /// `/`, or segments of unreserved characters (RFC 3986 section 2.3) without a slash at the end.
    pub fn base_path(&mut self, field: &str, path: &str) {
        if path == "/" {
            return;
        }
        let well_formed = path.strip_prefix('/').is_some_and(|rest| {
            rest.split('/').all(|segment| {
                !matches!(segment, "" | "." | "..")
                    && segment
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte))
            })
        });
        if !well_formed {
            self.refuse(
                field,
                "must be `/` or like `/orders/eu`: segments of A-Z, a-z, 0-9, `.`, `_`, `~` and \
                 `-`, none of them `.` or `..`",
            );
        } else if path.len() > bounds::BASE_PATH_CHARS {
            self.refuse(field, format!("must have {} characters at most", bounds::BASE_PATH_CHARS));
        } else if path.split('/').count() > MAX_BASE_PATH_SEGMENTS + 1 {
            self.refuse(field, format!("must have {} segments at most", MAX_BASE_PATH_SEGMENTS));
        }
    }

    /// An IP address that upstreams may have, or a DNS name. The addresses of a name are checked
    /// when it is resolved.
    pub fn address(&mut self, field: &str, address: &str, rules: &AddressRules) {
        if let Ok(address) = address.parse::<IpAddr>() {
            if let Err(refusal) = rules.check(address) {
                self.refuse(
                    field,
                    format!(
                        "{refusal}; use a public address, or ask the operator of the platform \
                             to allow it (--upstream-allow)"
                    ),
                );
            }
            return;
        }
        let name = address.strip_suffix('.').unwrap_or(address);
        // A name that ends in a number would be read as a malformed IPv4 address (WHATWG URL,
        // section 3.5).
        let numeric = name
            .rsplit('.')
            .next()
            .is_some_and(|label| label.bytes().all(|byte| byte.is_ascii_digit()));
        if !is_dns_name(address) || numeric {
            self.refuse(field, "must be an IP address (IPv6 without brackets) or a DNS name");
        }
    }

    /// A number within bounds.
    pub fn range<T: Copy + Into<i64>>(
        &mut self,
        field: &str,
        value: i64,
        range: &RangeInclusive<T>,
    ) {
        let (least, most): (i64, i64) = ((*range.start()).into(), (*range.end()).into());
        if !(least..=most).contains(&value) {
            self.refuse(field, format!("must be between {least} and {most}"));
        }
    }

    /// A time that is still to come.
    pub fn future(&mut self, field: &str, time: Option<DateTime<Utc>>, now: DateTime<Utc>) {
        if time.is_some_and(|time| time <= now) {
            self.refuse(field, "must be in the future");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(check: impl FnOnce(&mut Check)) -> bool {
        let mut collected = Check::new();
        check(&mut collected);
        collected.finish().is_ok()
    }

    #[test]
    fn names() {
        for (name, good) in [
            ("a", true),
            ("Größe 10", true),
            (&*"x".repeat(200), true),
            (&*"x".repeat(201), false),
            ("", false),
            (" a", false),
            ("a\n", false),
            ("a\0b", false),
        ] {
            assert_eq!(passes(|check| check.name("name", name)), good, "{name:?}");
        }
    }

    #[test]
    fn slugs() {
        for (slug, good) in [
            ("shop", true),
            ("a", true),
            ("a-b-1", true),
            (&*"a".repeat(63), true),
            (&*"a".repeat(64), false),
            ("-a", false),
            ("a-", false),
            ("A", false),
            ("a.b", false),
            ("", false),
            ("api", false),
            ("mail", false),
        ] {
            assert_eq!(passes(|check| check.slug("slug", slug)), good, "{slug:?}");
        }
    }

    #[test]
    fn base_paths() {
        for (path, good) in [
            ("/", true),
            ("/orders", true),
            ("/orders/eu~1.0_x-y", true),
            ("/a/../b", false),
            ("/.", false),
            ("orders", false),
            ("/orders/", false),
            ("//", false),
            ("", false),
            ("/{id}", false),
            ("/a%20b", false),
            (&*format!("/{}", "a".repeat(255)), true),
            (&*format!("/{}", "a".repeat(256)), false),
            (&*"/a".repeat(20), true),
            (&*"/a".repeat(21), false),
        ] {
            assert_eq!(passes(|check| check.base_path("base_path", path)), good, "{path:?}");
        }
    }

    #[test]
    fn version_names() {
        for (name, good) in [
            ("v1", true),
            ("2024-10-01", true),
            ("1.0_rc", true),
            ("V1", false),
            (".v", false),
            ("", false),
            ("a/b", false),
        ] {
            assert_eq!(passes(|check| check.version_name("name", name)), good, "{name:?}");
        }
    }

    #[test]
    fn addresses() {
        let rules = AddressRules::new(["10.9.0.0/16".parse().unwrap()], []);
        for (address, good) in [
            ("8.8.8.8", true),
            ("2a00::1", true),
            ("10.9.8.7", true),
            ("127.0.0.1", false),
            ("::1", false),
            ("::ffff:127.0.0.1", false),
            ("169.254.169.254", false),
            ("orders.internal", true),
            ("localhost", true),
            ("orders.internal.", true),
            ("my_service", true),
            ("[::1]", false),
            ("256.1.1.1", false),
            ("1.2.3", false),
            ("a..b", false),
            ("a b", false),
            ("http://a", false),
            ("a:80", false),
            ("", false),
        ] {
            assert_eq!(
                passes(|check| check.address("address", address, &rules)),
                good,
                "{address:?}"
            );
        }
    }
}
