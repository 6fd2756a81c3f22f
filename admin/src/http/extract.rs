//! Extractors of handlers: parsed, checked for form, and with the caller.

use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;

use crate::bounds;
use crate::http::body;
use crate::http::caller::Caller;
use crate::http::idempotency::Once;
use crate::http::problem::Problem;
use crate::http::problem::request::NOT_FOUND;
use crate::http::problem::rights::MISSING_TOKEN;

/// The ids in the path. Text that is no id names no object: it is answered like one that does not
/// exist.
pub struct IdPath<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for IdPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(ids) = Path::from_request_parts(parts, state).await.map_err(|_| &NOT_FOUND)?;
        Ok(Self(ids))
    }
}

/// The parameters of the query. An unknown one is refused: a `dryrun` that was meant to be a
/// `dry_run` must do nothing.
pub struct StrictQuery<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for StrictQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Query(parameters) = Query::try_from_uri(&parts.uri).map_err(|error| {
            let text = std::error::Error::source(&error)
                .map_or_else(|| error.to_string(), ToString::to_string);
            let name = text.split('`').nth(1).unwrap_or_default().to_owned();
            let known = !text.contains("unknown field");
            Problem::field(
                name,
                if known { text.as_str() } else { "is not a parameter of this operation" },
            )
        })?;
        Ok(Self(parameters))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    /// Fails closed: a handler that takes a caller cannot be reached past
    /// [`crate::layers::authorize`].
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or(MISSING_TOKEN.problem())
    }
}

/// A POST with a JSON body.
pub struct PostBody<T> {
    pub caller: Caller,
    pub body: T,
    pub once: Once,
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for PostBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, state).await?;
        body::expect_json(&parts.headers)?;
        let bytes = body::read(body, bounds::BODY_BYTES).await?;
        let once = Once::of(&parts, &bytes, &caller)?;
        Ok(Self { caller, body: body::parse(&bytes)?, once })
    }
}

/// A PATCH with a JSON body: absent fields stay as they are.
pub struct PatchBody<T> {
    pub caller: Caller,
    pub body: T,
    pub expected: Expected,
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for PatchBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, state).await?;
        body::expect_json(&parts.headers)?;
        let expected = Expected::of(&parts.headers)?;
        let bytes = body::read(body, bounds::BODY_BYTES).await?;
        Ok(Self { caller, body: body::parse(&bytes)?, expected })
    }
}

/// The revision that a change was made for, from `If-Match`; `None` if the client does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected(pub Option<i64>);

/// A revision that no object has: a tag that is not one of ours matches nothing.
const NO_REVISION: i64 = -1;

impl Expected {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let wrong = |message| Problem::header("If-Match", message);
        let mut values = headers.get_all(header::IF_MATCH).iter();
        let Some(value) = values.next() else { return Ok(Self(None)) };
        let value = value.to_str().map_err(|_| wrong("is not ASCII"))?.trim();
        if value != "*" && values.next().is_some() {
            return Err(wrong("give one entity tag"));
        }
        Self::parse(value).map_err(wrong)
    }

    /// Reads an entity tag, or `*`.
    ///
    /// # Errors
    /// The fault of the text.
    pub fn parse(value: &str) -> Result<Self, &'static str> {
        if value == "*" {
            return Ok(Self(None));
        }
        if value.contains(',') {
            return Err("give one entity tag");
        }
        // Weak tags never match here (RFC 9110 section 13.1.1).
        let opaque = value.strip_prefix("W/").unwrap_or(value);
        let revision = opaque.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let revision = revision.ok_or("an entity tag stands in double quotes")?;
        let revision =
            if opaque == value { revision.parse().unwrap_or(NO_REVISION) } else { NO_REVISION };
        Ok(Self(Some(revision)))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Expected {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::of(&parts.headers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_match_is_one_strong_tag() {
        for (value, expected) in [
            ("\"7\"", Some(Some(7))),
            ("*", Some(None)),
            ("W/\"7\"", Some(Some(NO_REVISION))),
            ("\"abc\"", Some(Some(NO_REVISION))),
            ("7", None),
            ("\"7\", \"8\"", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_MATCH, value.parse().unwrap());
            assert_eq!(Expected::of(&headers).ok().map(|expected| expected.0), expected, "{value}");
        }
        assert_eq!(Expected::of(&HeaderMap::new()).ok(), Some(Expected(None)));
    }
}
