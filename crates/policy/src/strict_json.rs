//! JSON that is read strictly: for texts that another party may have read before, or will read.
//!
//! Parsers disagree about a name that occurs twice in an object (RFC 8259 section 4), so such an
//! object is refused, and about values that are nested deeply.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// A type that any JSON value can be read into.
pub trait StrictValue: Sized {
    /// The most lists and objects that may be nested in each other.
    const MAX_DEPTH: usize;

    /// The value of `null`.
    fn null() -> Self;
    /// The value of `true` or `false`.
    fn truth(truth: bool) -> Self;
    /// The value of a number without fraction and exponent that is below zero.
    fn signed(number: i64) -> Self;
    /// The value of a number without fraction and exponent.
    fn unsigned(number: u64) -> Self;
    /// The value of any other number.
    fn float(number: f64) -> Self;
    /// The value of a string.
    fn text(text: &str) -> Self;
    /// The value of an array.
    fn list(items: Vec<Self>) -> Self;
    /// The value of an object, with its members sorted by name, each name once.
    fn object(members: Vec<(Box<str>, Self)>) -> Self;
}

/// A value that is read strictly.
#[derive(Clone, Debug, PartialEq)]
pub struct Strict<T>(pub T);

impl<'de, T: StrictValue> Deserialize<'de> for Strict<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Levels(T::MAX_DEPTH, PhantomData).deserialize(deserializer).map(Self)
    }
}

impl StrictValue for Value {
    /// The limit that `serde_json` has anyway.
    const MAX_DEPTH: usize = 128;

    fn null() -> Self {
        Self::Null
    }

    fn truth(truth: bool) -> Self {
        truth.into()
    }

    fn signed(number: i64) -> Self {
        number.into()
    }

    fn unsigned(number: u64) -> Self {
        number.into()
    }

    fn float(number: f64) -> Self {
        number.into()
    }

    fn text(text: &str) -> Self {
        text.into()
    }

    fn list(items: Vec<Self>) -> Self {
        items.into()
    }

    fn object(members: Vec<(Box<str>, Self)>) -> Self {
        members.into_iter().map(|(name, value)| (String::from(name), value)).collect()
    }
}

/// Reads a value in which so many levels may be nested.
struct Levels<T>(usize, PhantomData<T>);

impl<T> Levels<T> {
    fn inner<E: Error>(&self) -> Result<impl Fn() -> Self + use<E, T>, E> {
        let left = self.0.checked_sub(1).ok_or_else(|| E::custom("nested too deeply"))?;
        Ok(move || Self(left, PhantomData))
    }
}

impl<'de, T: StrictValue> DeserializeSeed<'de> for Levels<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: StrictValue> Visitor<'de> for Levels<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::null())
    }

    fn visit_bool<E>(self, truth: bool) -> Result<T, E> {
        Ok(T::truth(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<T, E> {
        Ok(T::signed(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<T, E> {
        Ok(T::unsigned(number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<T, E> {
        Ok(T::float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<T, E> {
        Ok(T::text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<T, A::Error> {
        let inner = self.inner()?;
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(inner())? {
            items.push(item);
        }
        Ok(T::list(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<T, A::Error> {
        let inner = self.inner()?;
        let mut members = Vec::<(Box<str>, T)>::new();
        while let Some(name) = object.next_key()? {
            members.push((name, object.next_value_seed(inner())?));
        }
        members.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let twice = members.array_windows::<2>().find(|[(a, _), (b, _)]| a == b);
        match twice {
            Some([(name, _), _]) => Err(A::Error::custom(format_args!("duplicate field `{name}`"))),
            None => Ok(T::object(members)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_str, json};

    use super::*;

    #[test]
    fn a_value_is_read_as_it_is() {
        let value = json!({"b": [1, -1, 1.5, u64::MAX, "x", null, true], "a": {"c": {}}});
        assert_eq!(from_str::<Strict<Value>>(&value.to_string()).unwrap().0, value);
    }

    #[test]
    fn a_name_that_occurs_twice_is_refused_by_name() {
        for text in [r#"{"a": 1, "b": 2, "a": 1}"#, r#"[{"x": {"a": 1, "\u0061": 2}}]"#] {
            let error = from_str::<Strict<Value>>(text).unwrap_err();
            assert!(error.to_string().starts_with("duplicate field `a`"), "{error}");
        }
        assert!(from_str::<Strict<Value>>(r#"{"a": {"b": 1}, "b": {"a": 1}}"#).is_ok());
    }
}
