//! JSON as tokens and JWK Sets have it, read strictly ([`crate::strict_json`]): a name that occurs
//! twice in an object is refused, where RFC 7519 section 4 leaves a choice, and so is text after
//! the value.

use std::borrow::Cow;

use serde::Deserialize as _;

use crate::strict_json::{Strict, StrictValue};

/// A JSON value. The members of an object are sorted by name.
#[derive(Clone, PartialEq)]
pub(super) enum Json {
    Null,
    Truth(bool),
    Integer(i64),
    /// A number with a fraction or an exponent, or one that does not fit in 64 bits.
    Float(f64),
    Text(Box<str>),
    List(Box<[Json]>),
    Object(Box<[(Box<str>, Json)]>),
}

impl Json {
    /// Reads one JSON text; `None` if it is none, or not a strict one.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        let Strict(value) = Strict::deserialize(&mut deserializer).ok()?;
        deserializer.end().ok()?;
        Some(value)
    }

    pub(super) fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }

    /// A member of an object; `None` if there is no such one, or if this is no object.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else { return None };
        let place = members.binary_search_by(|(member, _)| (**member).cmp(name)).ok()?;
        members.get(place).map(|(_, value)| value)
    }

    /// The value at a path, in which dots lead into objects. A member whose whole name is the path
    /// comes first, so that names with dots in them, such as `https://example.com/tier`, are found
    /// too.
    pub(super) fn find(&self, path: &str) -> Option<&Self> {
        self.get(path).or_else(|| {
            path.match_indices('.').find_map(|(dot, _)| {
                let (head, rest) = (path.get(..dot)?, path.get(dot + 1..)?);
                self.get(head)?.find(rest)
            })
        })
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text of a text, an integer or a truth value. Other numbers have several texts, and name
    /// nothing.
    pub(super) fn scalar(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Integer(number) => Some(Cow::Owned(number.to_string())),
            Self::Truth(truth) => Some(Cow::Borrowed(if *truth { "true" } else { "false" })),
            Self::Null | Self::Float(_) | Self::List(_) | Self::Object(_) => None,
        }
    }

    /// Returns true if two values are the same. Numbers are compared by value, so that 1 is 1.0.
    pub(super) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            #[expect(
                clippy::cast_precision_loss,
                reason = "integers that a float cannot hold differ from every float that is read"
            )]
            (Self::Integer(integer), Self::Float(float))
            | (Self::Float(float), Self::Integer(integer)) => *integer as f64 == *float,
            _ => self == other,
        }
    }

    /// About how many bytes of memory the value holds besides its own place.
    pub(super) fn held_bytes(&self) -> usize {
        match self {
            Self::Null | Self::Truth(_) | Self::Integer(_) | Self::Float(_) => 0,
            Self::Text(text) => text.len(),
            Self::List(items) => {
                size_of_val::<[Self]>(items) + items.iter().map(Self::held_bytes).sum::<usize>()
            }
            Self::Object(members) => {
                let held = members.iter().map(|(name, value)| name.len() + value.held_bytes());
                size_of_val::<[(Box<str>, Self)]>(members) + held.sum::<usize>()
            }
        }
    }
}

impl StrictValue for Json {
    /// Tokens of the well-known issuers need four levels.
    const MAX_DEPTH: usize = 16;

    fn null() -> Self {
        Self::Null
    }

    fn truth(truth: bool) -> Self {
        Self::Truth(truth)
    }

    fn signed(number: i64) -> Self {
        Self::Integer(number)
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "a number that does not fit is only ever compared with bounds"
    )]
    fn unsigned(number: u64) -> Self {
        i64::try_from(number).map_or(Self::Float(number as f64), Self::Integer)
    }

    fn float(number: f64) -> Self {
        Self::Float(number)
    }

    fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    fn list(items: Vec<Self>) -> Self {
        Self::List(items.into())
    }

    fn object(members: Vec<(Box<str>, Self)>) -> Self {
        Self::Object(members.into())
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
