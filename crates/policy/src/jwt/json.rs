//! JSON as tokens and JWK Sets have it, read strictly.
//!
//! What parsers disagree about is refused, as another party may have read it the other way: a name
//! that occurs twice in an object (RFC 7519 section 4 leaves a choice there), text after the value,
//! and values that are nested deeply.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// How deep lists and objects may be nested. Tokens of the well-known issuers need four levels.
const MAX_DEPTH: usize = 16;

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
        let value = Depth(MAX_DEPTH).deserialize(&mut deserializer).ok()?;
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

    /// Whether two values are the same. Numbers are compared by value, so that 1 is 1.0.
    pub(super) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            #[allow(
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

/// Reads a value in which so many levels may be nested.
#[derive(Clone, Copy)]
struct Depth(usize);

impl Depth {
    fn inner<E: Error>(self) -> Result<Self, E> {
        self.0.checked_sub(1).map(Self).ok_or_else(|| E::custom("nested too deeply"))
    }
}

impl<'de> DeserializeSeed<'de> for Depth {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Depth {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Json, E> {
        Ok(Json::Truth(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Integer(number))
    }

    #[allow(
        clippy::cast_precision_loss,
        reason = "what does not fit is only ever compared with bounds"
    )]
    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(i64::try_from(number).map_or(Json::Float(number as f64), Json::Integer))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json, E> {
        Ok(Json::Float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json, A::Error> {
        let inner = self.inner()?;
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Json::List(items.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Json, A::Error> {
        let inner = self.inner()?;
        let mut members = Vec::<(Box<str>, Json)>::new();
        while let Some(name) = object.next_key()? {
            members.push((name, object.next_value_seed(inner)?));
        }
        members.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        if members.windows(2).any(|pair| matches!(pair, [(a, _), (b, _)] if a == b)) {
            return Err(A::Error::custom("a name occurs twice"));
        }
        Ok(Json::Object(members.into()))
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
