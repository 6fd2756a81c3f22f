//! Reading bodies strictly: an unknown field is refused and named, a wrong type is named with its
//! path.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::http::{HeaderMap, header};
use futures::StreamExt as _;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::error::Category;
use tokio::time::{Instant, timeout_at};

use crate::bounds;
use crate::http::problem::Problem;
use crate::http::problem::request::{SLOW_BODY, SYNTAX, TOO_LARGE, UNREADABLE};

/// Reads a whole body of at most `limit_bytes`, as long as it comes fast enough.
pub async fn read(body: Body, limit_bytes: usize) -> Result<Bytes, Problem> {
    let too_large = || TOO_LARGE.because(format!("It may have {limit_bytes} bytes at most."));
    let exact = body.size_hint().exact();
    let announced = exact.map_or(0, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    if announced > limit_bytes {
        return Err(too_large());
    }
    let begun = Instant::now();
    let mut stream = body.into_data_stream();
    let mut received = Vec::new();
    loop {
        // The room for what has come is the client's as well: none is made for what it announces.
        let seconds = received.len() as u64 / bounds::BODY_BYTES_A_SECOND;
        let latest = begun + bounds::BODY_PAUSE + Duration::from_secs(seconds);
        let latest = latest.min(Instant::now() + bounds::BODY_PAUSE);
        let piece = timeout_at(latest, stream.next()).await.map_err(|_| &SLOW_BODY)?;
        let Some(piece) = piece else { return Ok(received.into()) };
        let piece = piece.map_err(|_| &UNREADABLE)?;
        if received.len() + piece.len() > limit_bytes {
            return Err(too_large());
        }
        received.extend_from_slice(&piece);
    }
}

/// Refuses a body that is not declared as JSON. Browsers cannot send that across origins without
/// asking first.
pub fn expect_json(headers: &HeaderMap) -> Result<(), Problem> {
    let essence = media_type(headers);
    if essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
    {
        return Ok(());
    }
    Err(Problem::media_type("application/json"))
}

/// The media type of a body, in lower case and without parameters; empty if none is given.
pub fn media_type(headers: &HeaderMap) -> String {
    let value =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Parses JSON into a type that refuses unknown fields.
///
/// # Errors
/// [`SYNTAX`] for text that is no JSON; `invalid` with the path of the field that is unknown,
/// missing, repeated or of a wrong type.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let Object(value) = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        // serde_json calls some wrong types syntax errors, such as null in the place of an enum.
        let is_json = std::str::from_utf8(bytes).is_ok()
            && serde_json::from_slice::<IgnoredAny>(bytes).is_ok();
        if is_json && error.inner().classify() != Category::Data {
            return Problem::field(path, "has a wrong type or form");
        }
        problem_of(path, error.inner())
    })?;
    deserializer.end().map_err(|error| SYNTAX.because(format!("{error}.")))?;
    Ok(value)
}

fn problem_of(path: String, error: &serde_json::Error) -> Problem {
    if error.classify() != Category::Data {
        return SYNTAX.because(format!("{error}."));
    }
    let text = error.to_string();
    let message = text.split_once(" at line ").map_or(text.as_str(), |(message, _)| message);
    let path = if path == "." { String::new() } else { path };
    match quoted(message) {
        Some(name) if message.starts_with("unknown field") => {
            Problem::field(ending_in(path, name), "is not known")
        }
        Some(name) if message.starts_with("missing field") => {
            Problem::field(ending_in(path, name), "is missing")
        }
        Some(name) if message.starts_with("duplicate field") => {
            Problem::field(ending_in(path, name), "is given twice")
        }
        _ => Problem::field(path, message),
    }
}

/// The first name in backticks.
fn quoted(message: &str) -> Option<&str> {
    message.split('`').nth(1)
}

/// The path, completed by the name if it does not yet end in it.
fn ending_in(path: String, name: &str) -> String {
    if path == name || path.ends_with(&format!(".{name}")) {
        path
    } else if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// A JSON object. Derived implementations also take an array of the fields' values in their order,
/// which no client means.
pub struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

/// For a list of objects in a body.
pub fn objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let objects = Vec::<Object<T>>::deserialize(deserializer)?;
    Ok(objects.into_iter().map(|Object(object)| object).collect())
}

/// For an optional list of objects in a body.
pub fn present_objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Vec<T>>, D::Error> {
    objects(deserializer).map(Some)
}

/// For an optional object in a body: absent is `None`, and `null` is refused.
pub fn present_object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Object::deserialize(deserializer).map(|Object(object)| Some(object))
}

/// For an optional field of a body: absent is `None`, and `null` is refused unless `T` is itself an
/// option.
pub fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::problem::FieldError;
    use crate::http::problem::request::INVALID;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the errors matter")]
    struct Outer {
        name: String,
        #[serde(default, deserialize_with = "present")]
        optional: Option<bool>,
        #[serde(default, deserialize_with = "present")]
        nullable: Option<Option<String>>,
        #[serde(default, deserialize_with = "objects")]
        inner: Vec<Inner>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the errors matter")]
    struct Inner {
        port: u16,
    }

    fn refusal(body: &str) -> FieldError {
        match parse::<Outer>(body.as_bytes()) {
            Err(problem) if problem.is(&INVALID) => problem.into_errors().remove(0),
            other => panic!("{body} gave {other:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_comes_slowly_is_given_up() {
        let pieces = |pause_s: u64, bytes: usize| {
            futures::stream::unfold((), move |()| async move {
                tokio::time::sleep(Duration::from_secs(pause_s)).await;
                Some((Ok::<_, std::io::Error>(vec![b'x'; bytes]), ()))
            })
        };
        for (pause_s, bytes) in [(20, 1_000_000), (9, 10), (1, 10_000)] {
            let body = Body::from_stream(pieces(pause_s, bytes));
            let refused = read(body, 100_000_000).await.unwrap_err();
            assert!(refused.is(&SLOW_BODY), "{bytes} bytes every {pause_s} s");
        }
        let body = Body::from_stream(pieces(1, 20_000));
        let refused = read(body, 1_000_000).await.unwrap_err();
        assert!(refused.is(&TOO_LARGE), "it comes fast enough, and without end");
    }

    #[test]
    fn a_wrong_field_is_named_with_its_path() {
        for (body, field) in [
            (r#"{"name":"a","nam":"b"}"#, "nam"),
            (r#"{"name":"a","inner":[{"port":1},{"port":1,"prot":2}]}"#, "inner[1].prot"),
            (r#"{"name":"a","inner":[{}]}"#, "inner[0].port"),
            (r#"{"name":"a","inner":[{"port":"x"}]}"#, "inner[0].port"),
            (r#"{"name":"a","inner":[{"port":70000}]}"#, "inner[0].port"),
            (r#"{"name":5}"#, "name"),
            (r#"{}"#, "name"),
            (r#"{"name":"a","name":"b"}"#, "name"),
            (r#"{"name":"a","optional":null}"#, "optional"),
            (r#"[]"#, ""),
            (r#"["a"]"#, ""),
            (r#"null"#, ""),
            (r#"{"name":"a","inner":[[1]]}"#, "inner[0]"),
        ] {
            assert_eq!(refusal(body).field, field, "{body}");
        }
    }

    #[test]
    fn null_is_for_nullable_fields() {
        let parsed: Outer = parse(br#"{"name":"a","nullable":null}"#).unwrap();
        assert_eq!(parsed.nullable, Some(None));
        let parsed: Outer = parse(br#"{"name":"a"}"#).unwrap();
        assert_eq!(parsed.nullable, None);
    }

    #[test]
    fn what_is_no_json_is_a_syntax_error() {
        for body in ["", "{", "{\"name\":\"a\"} x", "name=a", "{\"name\":\"\u{1}\"}"] {
            assert!(
                parse::<Outer>(body.as_bytes()).is_err_and(|problem| problem.is(&SYNTAX)),
                "{body}"
            );
        }
        assert!(parse::<Outer>(b"{\"name\":\"\xff\"}").is_err_and(|problem| problem.is(&SYNTAX)));
    }
}
