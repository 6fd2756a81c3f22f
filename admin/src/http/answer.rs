//! Successful answers: status, entity tag, location, body.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::http::etag::etag;
use crate::http::problem::Problem;
use crate::http::problem::request::INTERNAL;

/// An object in an answer.
pub trait Object: Serialize {
    /// Counts the changes of the object, from 1.
    fn revision(&self) -> i64;
    /// True if the answer carries a secret, and must not be kept by anyone on the way.
    const SECRET: bool = false;
}

/// A whole answer, in the form in which it is also kept for repeated requests.
#[derive(Serialize, Deserialize)]
pub struct Answer {
    pub status: u16,
    pub etag: Option<String>,
    pub location: Option<String>,
    pub secret: bool,
    /// The JSON text.
    pub body: String,
}

impl Answer {
    /// An object, with its entity tag.
    pub fn object<T: Object>(object: &T) -> Result<Self, Problem> {
        let etag = Some(etag(object.revision()));
        Ok(Self { etag, secret: T::SECRET, ..Self::json(StatusCode::OK, object)? })
    }

    /// A new object, with the place where it is found from now on: the place of its list, and its
    /// id.
    pub fn created<T: Object>(location: String, object: &T) -> Result<Self, Problem> {
        Ok(Self {
            status: StatusCode::CREATED.as_u16(),
            location: Some(location),
            ..Self::object(object)?
        })
    }

    /// Any JSON.
    pub fn json(status: StatusCode, body: &impl Serialize) -> Result<Self, Problem> {
        let body = serde_json::to_string(body).map_err(|error| {
            tracing::error!(%error, "an answer could not be written as JSON");
            INTERNAL.problem()
        })?;
        Ok(Self { status: status.as_u16(), etag: None, location: None, secret: false, body })
    }

    /// The answer to a GET: 304 without a body if the client has this revision already (RFC 9110
    /// section 13.1.2).
    pub fn unless_known(self, headers: &HeaderMap) -> Response {
        let known = headers
            .get(header::IF_NONE_MATCH)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let matches =
            |etag: &str| known.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag);
        match &self.etag {
            Some(etag) if known.trim() == "*" || matches(etag) => {
                (StatusCode::NOT_MODIFIED, [(header::ETAG, etag.clone())]).into_response()
            }
            _ => self.into_response(),
        }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, self.body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        // RFC 9111 section 5.2.2: an object may be kept, but has to be asked for again; a secret
        // may not be kept.
        let cache = if self.secret { "no-store" } else { "no-cache" };
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
        for (name, value) in [(header::ETAG, self.etag), (header::LOCATION, self.location)] {
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
                headers.insert(name, value);
            }
        }
        response
    }
}

/// The answer to a DELETE.
pub fn no_content() -> Response {
    StatusCode::NO_CONTENT.into_response()
}
