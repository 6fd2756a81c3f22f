//! HTTP methods as a set of bits.

use std::fmt;

/// The methods that a route can name, in the order of their bits (RFC 9110 section 9, RFC 5789).
const NAMES: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"];

/// A set of HTTP methods. Text form: the names in a fixed order, separated by `, `, as in the
/// `Allow` header.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Methods(u8);

impl Methods {
    /// No method.
    pub const NONE: Self = Self(0);
    /// Every method that a route can name.
    pub const ALL: Self = Self(0xff);
    /// Every method but TRACE, which shows a client its own request as the upstream got it.
    pub const ALL_BUT_TRACE: Self = Self(0x7f);

    /// The set of the one method with this name (case-sensitive, RFC 9110 section 9.1); `None` if
    /// no route can name it.
    pub fn named(name: &str) -> Option<Self> {
        NAMES.iter().position(|known| *known == name).map(|bit| Self(1 << bit))
    }

    /// The same for the bytes of a request's method.
    pub fn of_request(name: &[u8]) -> Option<Self> {
        // By their lengths first, for it is asked of each request.
        let bit = match (name.len(), name) {
            (3, b"GET") => 0,
            (3, b"PUT") => 3,
            (4, b"HEAD") => 1,
            (4, b"POST") => 2,
            _ => NAMES.iter().position(|known| known.as_bytes() == name)?,
        };
        Some(Self(1 << bit))
    }

    /// Reads the bits of a pushed policy; bits that name no method are dropped.
    pub fn from_bits(bits: u32) -> Self {
        Self((bits & 0xff) as u8)
    }

    /// The bits, for a pushed policy or a database column.
    pub fn bits(self) -> u32 {
        u32::from(self.0)
    }

    /// The methods in either set.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// True if the sets have a method in common.
    pub fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// True if the set has no method.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The names of the methods in the set, in their fixed order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES
            .iter()
            .enumerate()
            .filter(move |(bit, _)| self.0 & (1 << bit) != 0)
            .map(|(_, name)| *name)
    }
}

impl fmt::Display for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.names().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{self}]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_is_an_allow_header() {
        let set = Methods::named("POST")
            .unwrap_or_default()
            .union(Methods::named("GET").unwrap_or_default());
        assert_eq!(set.to_string(), "GET, POST");
        assert_eq!(Methods::NONE.to_string(), "");
    }

    #[test]
    fn a_request_names_methods_as_routes_do() {
        for name in NAMES.into_iter().chain(["get", "", "CONNECT", "GE", "PUTT", "Post"]) {
            assert_eq!(Methods::of_request(name.as_bytes()), Methods::named(name), "{name}");
        }
    }

    #[test]
    fn names_are_case_sensitive() {
        assert_eq!(Methods::named("get"), None);
        assert_eq!(Methods::named("CONNECT"), None);
    }
}
