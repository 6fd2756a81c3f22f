//! The base domain of a deployment.

use std::str::FromStr;

use policy::host;

/// The domain under which sites have their names, in canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseDomain(String);

impl BaseDomain {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BaseDomain {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let canonical = host::canonical(text.as_bytes()).is_some_and(|name| name == text);
        if canonical && text.split('.').all(|label| !label.is_empty()) {
            Ok(Self(text.to_owned()))
        } else {
            Err("a base domain is DNS labels in lower case, joined by dots, such as gw.example.com")
        }
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
