//! Hostnames: as requests have them, as they are looked up, and the domain that sites are under.

use std::fmt;
use std::str::FromStr;

/// The longest hostname, in bytes (RFC 1035 section 2.3.4, without the root's dot).
pub const MAX_NAME_LEN: usize = 253;
/// The longest label of a hostname, in bytes (RFC 1035 section 2.3.4).
pub const MAX_LABEL_LEN: usize = 63;

/// The base domain unless an operator says otherwise: `*.localhost` needs no DNS (RFC 6761
/// section 6.3).
pub const DEFAULT_BASE_DOMAIN: &str = "gw.localhost";
/// The label under the base domain of the host that all sites share: the key says which one is
/// meant. No site may take it.
pub const SHARED_API_LABEL: &str = "api";

/// Brings the `:authority` of a request, or the `Host` of one, to the form in which hostnames are
/// stored: no port, no trailing dot, lower case.
///
/// `None` for all that no site can own: user information, an IPv6 literal, an empty or overlong
/// name, any character but letters, digits, hyphens, dots and underscores. Two `Host` headers that
/// were joined by a comma are such a text.
pub fn canonical(authority: &[u8]) -> Option<String> {
    let name = match authority.iter().position(|byte| *byte == b':') {
        Some(colon) => {
            let (name, port) = authority.split_at_checked(colon)?;
            let port = port.strip_prefix(b":")?;
            if port.len() > 5 || !port.iter().all(u8::is_ascii_digit) {
                return None;
            }
            name
        }
        None => authority,
    };
    let name = name.strip_suffix(b".").unwrap_or(name);
    // One dot is the root's; a second one is an empty label.
    if name.is_empty() || name.ends_with(b".") || name.len() > MAX_NAME_LEN {
        return None;
    }
    let mut canonical = String::with_capacity(name.len());
    for byte in name {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                canonical.push(char::from(byte.to_ascii_lowercase()));
            }
            _ => return None,
        }
    }
    Some(canonical)
}

/// Returns true for one DNS label in lower case: 1 to 63 letters, digits and hyphens, no hyphen at
/// either end (RFC 1123 section 2.1).
pub fn is_label(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=MAX_LABEL_LEN).contains(&text.len())
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text.bytes().all(known)
}

/// Returns true for a DNS name as upstreams and resolvers use it: labels of letters, digits,
/// hyphens and underscores, no hyphen at either end of one; a root's dot may end it.
pub fn is_dns_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_label = |label: &str| {
        (1..=MAX_LABEL_LEN).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(known)
    };
    name.len() <= MAX_NAME_LEN && name.split('.').all(is_label)
}

/// The domain under which sites have their hostnames: DNS labels in lower case ([`is_label`]),
/// joined by dots, with room for one more label of full length before it. Every hostname under it
/// is in canonical form ([`canonical`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseDomain(String);

impl BaseDomain {
    /// The hostname of a label under the domain.
    pub fn name(&self, label: &str) -> String {
        format!("{label}.{self}")
    }

    /// The hostname that all sites share ([`SHARED_API_LABEL`]).
    pub fn shared_api(&self) -> String {
        self.name(SHARED_API_LABEL)
    }
}

/// A text that is no [`BaseDomain`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a base domain is DNS labels in lower case, joined by dots, such as gw.example.com")]
pub struct BaseDomainError;

impl FromStr for BaseDomain {
    type Err = BaseDomainError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let has_room = text.len() + 1 + MAX_LABEL_LEN <= MAX_NAME_LEN;
        if has_room && text.split('.').all(is_label) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BaseDomainError)
        }
    }
}

impl fmt::Display for BaseDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dns_name_has_labels_of_letters_digits_hyphens_and_underscores() {
        for name in ["localhost", "a.b", "a-b.c_d.", "1.2.3", "xn--bcher-kva.example"] {
            assert!(is_dns_name(name), "{name}");
        }
        let overlong = "a".repeat(64);
        for name in
            ["", ".", "a..b", "a b", "b\u{fc}cher", "a/b", "[::1]", "-a.b", "a-.b", &overlong]
        {
            assert!(!is_dns_name(name), "{name}");
        }
    }

    #[test]
    fn a_base_domain_is_labels_in_lower_case_with_room_for_one_more() {
        let longest = format!("{0}.{0}.{0}a", "a".repeat(62));
        let overlong = format!("{0}.{0}.{0}.a", "a".repeat(62));
        for (text, good) in [
            (DEFAULT_BASE_DOMAIN, true),
            ("a", true),
            ("", false),
            (".a", false),
            ("A.b", false),
            ("a.", false),
            ("a_b.example", false),
            ("-a.example", false),
            ("a-.example", false),
            (&longest, true),
            (&overlong, false),
        ] {
            assert_eq!(text.parse::<BaseDomain>().is_ok(), good, "{text}");
        }
    }

    #[test]
    fn a_name_under_a_base_domain_is_canonical_at_its_longest() {
        let domain: BaseDomain = format!("{0}.{0}.{0}a", "a".repeat(62)).parse().unwrap();
        let name = domain.name(&"b".repeat(MAX_LABEL_LEN));
        assert_eq!(canonical(name.as_bytes()), Some(name));
        let domain: BaseDomain = DEFAULT_BASE_DOMAIN.parse().unwrap();
        assert_eq!(domain.shared_api(), "api.gw.localhost");
    }

    #[test]
    fn port_dot_and_case_do_not_matter() {
        for authority in [
            "shop.example",
            "SHOP.Example",
            "shop.example:8443",
            "shop.example.",
            "shop.example.:80",
        ] {
            assert_eq!(
                canonical(authority.as_bytes()).as_deref(),
                Some("shop.example"),
                "{authority}"
            );
        }
    }

    #[test]
    fn what_no_site_can_own_is_no_host() {
        let overlong = "a".repeat(254);
        for authority in [
            "",
            ".",
            "..",
            "a..",
            "a..:80",
            ":80",
            "a@b",
            "[::1]:80",
            "a,b",
            "a b",
            "a/b",
            "a:b",
            "a:123456",
            "b\u{fc}cher",
            &overlong,
        ] {
            assert_eq!(canonical(authority.as_bytes()), None, "{authority}");
        }
    }
}
