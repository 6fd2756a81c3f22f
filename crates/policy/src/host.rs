//! The host of a request, as it is looked up.

/// The longest hostname (RFC 1035 section 2.3.4, without the root's dot).
const MAX_LEN: usize = 253;

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
    if name.is_empty() || name.ends_with(b".") || name.len() > MAX_LEN {
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

#[cfg(test)]
mod tests {
    use super::canonical;

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
