//! Scopes: the part of its role that a service token may use. `read`, `write`, or either of one
//! noun, as in `keys:write`.

use std::fmt;
use std::str::FromStr;

/// One scope. Writing includes reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The noun, as [`crate::rights::access::Rule::noun`] has it; `None` for all.
    noun: Option<String>,
    write: bool,
}

impl Scope {
    /// The scope that an operation needs.
    pub fn of(noun: &str, write: bool) -> Self {
        Self { noun: Some(noun.to_owned()), write }
    }

    /// The noun that it is limited to.
    pub fn noun(&self) -> Option<&str> {
        self.noun.as_deref()
    }

    /// True if this scope includes the other.
    fn implies(&self, other: &Self) -> bool {
        (self.noun.is_none() || self.noun == other.noun) && (self.write || !other.write)
    }
}

/// True if these scopes include another. No scopes at all are no limit.
pub fn include(scopes: &[Scope], wanted: &Scope) -> bool {
    scopes.is_empty() || scopes.iter().any(|scope| scope.implies(wanted))
}

/// True if these scopes include all that the others do.
pub fn cover(scopes: &[Scope], others: &[Scope]) -> bool {
    scopes.is_empty() || (!others.is_empty() && others.iter().all(|other| include(scopes, other)))
}

impl FromStr for Scope {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (noun, verb) = match text.split_once(':') {
            Some((noun, verb)) => (Some(noun.to_owned()), verb),
            None => (None, text),
        };
        match verb {
            "read" => Ok(Self { noun, write: false }),
            "write" => Ok(Self { noun, write: true }),
            _ => Err("must be `read`, `write`, or a noun with either, such as `keys:write`"),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(noun) = &self.noun {
            write!(f, "{noun}:")?;
        }
        f.write_str(if self.write { "write" } else { "read" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(texts: &[&str]) -> Vec<Scope> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn scopes_limit_nouns_and_verbs() {
        for (scopes_given, noun, write, included) in [
            (&[][..], "keys", true, true),
            (&["read"], "keys", false, true),
            (&["read"], "keys", true, false),
            (&["write"], "keys", false, true),
            (&["keys:write"], "keys", false, true),
            (&["keys:write"], "routes", false, false),
            (&["keys:read", "routes:write"], "keys", true, false),
            (&["keys:read", "routes:write"], "routes", true, true),
        ] {
            assert_eq!(
                include(&scopes(scopes_given), &Scope::of(noun, write)),
                included,
                "{scopes_given:?} {noun}"
            );
        }
    }

    #[test]
    fn nobody_gives_away_scopes_that_they_do_not_have() {
        for (own, given, covered) in [
            (&[][..], &["write"][..], true),
            (&[], &[], true),
            (&["write"], &[], false),
            (&["write"], &["keys:read"], true),
            (&["keys:write"], &["keys:read"], true),
            (&["keys:read"], &["keys:write"], false),
            (&["keys:read"], &["read"], false),
        ] {
            assert_eq!(cover(&scopes(own), &scopes(given)), covered, "{own:?} {given:?}");
        }
    }

    #[test]
    fn scopes_read_back() {
        for text in ["read", "write", "signing-keys:write"] {
            assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
        }
        for text in ["", "keys", "keys:", "keys:delete", "keys:read:all"] {
            assert!(text.parse::<Scope>().is_err(), "{text}");
        }
    }
}
