//! The domain of the platform.

use std::fmt;
use std::str::FromStr;

use crate::forms::check::is_label;

/// The domain under which sites have their names, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseDomain(String);

impl BaseDomain {
    /// A name under the domain.
    pub fn name(&self, label: &str) -> String {
        format!("{label}.{}", self.0)
    }
}

impl FromStr for BaseDomain {
    type Err = &'static str;

    /// A label of 63 characters and a dot have to fit before it (RFC 1035 section 2.3.4).
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.split('.').all(is_label) && text.len() <= 253 - 64 {
            Ok(Self(text.to_owned()))
        } else {
            Err("a base domain is DNS labels in lower case, joined by dots, such as gw.example.com")
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
    fn base_domains() {
        for (text, good) in [
            ("gw.localhost", true),
            ("a", true),
            ("", false),
            (".a", false),
            ("A.b", false),
            ("a.", false),
        ] {
            assert_eq!(text.parse::<BaseDomain>().is_ok(), good, "{text}");
        }
    }
}
