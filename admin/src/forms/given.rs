//! Settings as a client sent them. They are read more strictly than their types read by themselves.

use std::fmt;
use std::marker::PhantomData;

use policy::strict_json::Strict;
use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use serde::ser::Serialize;
use serde_json::Value;

use crate::http::body;
use crate::http::problem::request::INVALID;
use crate::http::problem::{FieldError, Problem};

/// Settings in a body. They are read when the body is checked, so that their faults are named
/// together with all others.
pub struct Given<T> {
    value: Value,
    settings: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned + Serialize> Given<T> {
    /// Reads the settings.
    ///
    /// # Errors
    /// Every field that is unknown, missing or of a wrong type, with its place inside the settings.
    pub(super) fn read(&self) -> Result<T, Vec<FieldError>> {
        let settings: T =
            body::parse(self.value.to_string().as_bytes()).map_err(|problem: Problem| {
                if problem.is(&INVALID) { problem.into_errors() } else { vec![wrong_form("")] }
            })?;
        let Ok(understood) = serde_json::to_value(&settings) else {
            return Err(vec![wrong_form("")]);
        };
        let mut errors = Vec::new();
        compare("", &self.value, &understood, &mut errors);
        if errors.is_empty() { Ok(settings) } else { Err(errors) }
    }
}

/// Refuses given fields that do not come back: derived implementations skip the fields of a variant
/// that has none, and take an array of values in the place of an object.
fn compare(place: &str, given: &Value, understood: &Value, errors: &mut Vec<FieldError>) {
    match (given, understood) {
        (Value::Object(given), Value::Object(understood)) => {
            for (name, value) in given {
                let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
                match understood.get(name) {
                    Some(understood) => compare(&place, value, understood, errors),
                    // An optional field that is null is written by leaving it out.
                    None if value.is_null() => {}
                    None => errors.push(FieldError::new(place, "is not known")),
                }
            }
        }
        (Value::Array(given), Value::Array(understood)) if given.len() == understood.len() => {
            for (index, (given, understood)) in given.iter().zip(understood).enumerate() {
                compare(&format!("{place}[{index}]"), given, understood, errors);
            }
        }
        (Value::Object(_) | Value::Array(_), _) | (_, Value::Object(_) | Value::Array(_)) => {
            errors.push(wrong_form(place));
        }
        _ => {}
    }
}

fn wrong_form(place: &str) -> FieldError {
    FieldError::new(place, "has a wrong type or form")
}

impl<T> fmt::Debug for Given<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<'de, T> Deserialize<'de> for Given<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Strict(value) = Strict::deserialize(deserializer)?;
        Ok(Self { value, settings: PhantomData })
    }
}

#[cfg(test)]
mod tests {
    use policy::settings::SiteSettings;

    use super::*;

    fn refused(text: &str) -> Vec<String> {
        let given: Given<SiteSettings> = serde_json::from_str(text).unwrap();
        let errors = given.read().err().unwrap_or_default();
        errors.into_iter().map(|error| error.field).collect()
    }

    #[test]
    fn what_does_not_come_back_is_refused() {
        for (text, fields) in [
            (r#"{"key_sources": [{"in": "bearer", "name": "x"}]}"#, vec!["key_sources[0].name"]),
            (r#"{"key_sources": [["bearer"]]}"#, vec!["key_sources[0]"]),
            (r#"{"ip": [[], []]}"#, vec!["ip"]),
            (r#"{"limits": [["a", 1, "second", null, []]]}"#, vec!["limits[0]"]),
            (
                r#"{"limits": [{"name": "a", "requests": 1, "per": {"hour": null}}]}"#,
                vec!["limits[0].per"],
            ),
            (r#"{"auth": {"none": null}}"#, vec!["auth"]),
            (r#"{"challenge": true}"#, vec!["challenge"]),
            (r#"[]"#, vec![""]),
            (r#"null"#, vec![""]),
            (
                r#"{"limits": [{"name": "a", "requests": 1, "per": "hour", "burst": null,
                    "by": ["key"]}]}"#,
                vec![],
            ),
            (
                r#"{"auth": "none", "ip": {"deny": ["::/0"]},
                    "key_sources": [{"in": "query", "name": "k"}]}"#,
                vec![],
            ),
            (r#"{}"#, vec![]),
        ] {
            assert_eq!(refused(text), fields, "{text}");
        }
    }

    #[test]
    fn a_name_that_is_given_twice_is_refused() {
        let error =
            serde_json::from_str::<Given<SiteSettings>>(r#"{"ip": {"deny": [], "deny": []}}"#)
                .unwrap_err();
        assert!(error.to_string().starts_with("duplicate field `deny`"), "{error}");
    }
}
