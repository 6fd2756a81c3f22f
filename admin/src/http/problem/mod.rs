//! Every error of the API, and its answer (RFC 9457). Each context declares its kinds of problems
//! in a file beside this one; the body of the answer is in [`body`].
//!
//! Architecture invariant: a 404 says nothing about which object was asked for, and no body carries
//! the request id, so that another tenant's object is answered byte for byte like an absent one.

pub mod accounts;
mod body;
mod kind;
mod of_store;
pub mod platform;
pub mod publishing;
pub mod request;
pub mod rights;
pub mod tenancy;

use axum::Json;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};

pub use self::body::{FieldError, ProblemBody, ReachedLimit};
pub use self::kind::Kind;
use self::request::{HEADER, IN_USE, INVALID, MEDIA_TYPE, TAKEN};

/// The media type of every error body.
pub use policy::refusal::MEDIA_TYPE as PROBLEM_JSON;

/// All kinds, by context.
pub const KINDS: &[&[Kind]] = &[
    request::KINDS,
    rights::KINDS,
    accounts::KINDS,
    tenancy::KINDS,
    publishing::KINDS,
    platform::KINDS,
];

/// One occurrence of a kind of problem.
#[derive(Debug)]
pub struct Problem {
    kind: &'static Kind,
    /// The fault of this request; the detail of the kind if it is absent.
    detail: Option<String>,
    errors: Vec<FieldError>,
    headers: Vec<(HeaderName, String)>,
    limit: Option<Box<ReachedLimit>>,
}

impl Kind {
    /// An occurrence.
    pub fn problem(&'static self) -> Problem {
        Problem::from(self)
    }

    /// An occurrence with a detail of its own.
    pub fn because(&'static self, detail: impl Into<String>) -> Problem {
        Problem { detail: Some(detail.into()), ..Problem::from(self) }
    }
}

impl From<&'static Kind> for Problem {
    fn from(kind: &'static Kind) -> Self {
        Self { kind, detail: None, errors: Vec::new(), headers: Vec::new(), limit: None }
    }
}

impl Problem {
    /// One wrong field.
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError::new(field, message)])
    }

    /// Wrong fields of the body, or wrong parameters of the query.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        INVALID.problem().with_errors(errors)
    }

    /// A field with a value that another object has already.
    pub fn taken(field: &str, value: &str) -> Self {
        let errors = vec![FieldError::new(field, format!("`{value}` is already used"))];
        Self {
            errors,
            ..TAKEN.because(format!("The {field} `{value}` is already used; choose another."))
        }
    }

    /// An object that is in use.
    pub fn in_use(what: &str, by: &str) -> Self {
        IN_USE.because(format!("The {what} is used by {by}; change that first."))
    }

    /// A header that cannot be read.
    pub fn header(name: &str, message: &str) -> Self {
        HEADER.because(format!("{name}: {message}."))
    }

    /// A body of another media type than the operation takes.
    pub fn media_type(expected: &str) -> Self {
        MEDIA_TYPE.because(format!("Send {expected}, and say so in Content-Type."))
    }

    /// The same problem with these wrong fields, which its detail says.
    pub fn with_errors(self, errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [only] if only.field.is_empty() => only.message.clone(),
            [only] => format!("{}: {}.", only.field, only.message),
            more => format!("{} fields are wrong; see `errors`.", more.len()),
        };
        Self { detail: Some(detail), errors, ..self }
    }

    /// The same problem with a header.
    pub fn with_header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same problem, with the wrong fields of a body that stands at a place in another one.
    pub fn below(mut self, place: &str) -> Self {
        if !self.is(&INVALID) {
            return self;
        }
        let errors = std::mem::take(&mut self.errors).into_iter();
        let errors =
            errors.map(|error| FieldError::new(format!("{place}.{}", error.field), error.message));
        let errors = errors.collect();
        self.with_errors(errors)
    }

    /// The problem of a request with many items, all of which are refused because of this one.
    pub fn in_item(self, index: usize) -> Self {
        let why = self.detail().map_or_else(|| format!("{}.", self.kind.title), str::to_owned);
        let place = |error: FieldError| match error.field.as_str() {
            "" => FieldError::new(format!("items[{index}]"), error.message),
            field => FieldError::new(format!("items[{index}].{field}"), error.message),
        };
        Self {
            detail: Some(format!("Nothing was done, because of item {index}: {why}")),
            errors: self.errors.into_iter().map(place).collect(),
            ..self
        }
    }

    /// True if it is of this kind.
    pub fn is(&self, kind: &Kind) -> bool {
        self.kind.name == kind.name
    }

    /// The fields that are wrong.
    pub fn errors(&self) -> &[FieldError] {
        &self.errors
    }

    /// The wrong fields; it consumes the problem.
    pub fn into_errors(self) -> Vec<FieldError> {
        self.errors
    }

    fn detail(&self) -> Option<&str> {
        self.detail.as_deref().or(self.kind.detail)
    }

    /// The body of the answer.
    pub fn into_body(self) -> ProblemBody {
        ProblemBody {
            r#type: format!("urn:tenantry:problem:{}", self.kind.name),
            title: self.kind.title,
            status: self.kind.status.as_u16(),
            detail: self.detail().map(str::to_owned),
            errors: self.errors,
            limit: self.limit.map(|limit| *limit),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(mut self) -> Response {
        let (status, kind_header) = (self.kind.status, self.kind.header);
        let headers = std::mem::take(&mut self.headers);
        let mut response = (status, Json(self.into_body())).into_response();
        let target = response.headers_mut();
        target.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some((name, value)) = kind_header {
            target.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                target.insert(name, value);
            }
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_kind_has_a_name_of_its_own() {
        let names: Vec<_> = KINDS.concat().iter().map(|kind| kind.name).collect();
        let different: BTreeSet<_> = names.iter().collect();
        assert_eq!(different.len(), names.len(), "two kinds share a name: {names:?}");
    }

    #[test]
    fn each_file_of_kinds_is_in_the_list() {
        let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/problem");
        for file in std::fs::read_dir(directory).unwrap() {
            let path = file.unwrap().path();
            let context = path.file_stem().unwrap().to_str().unwrap();
            let declares = std::fs::read_to_string(&path).unwrap().contains("\nkinds! {");
            let listed = include_str!("mod.rs").contains(&format!("    {context}::KINDS,\n"));
            assert_eq!(
                declares, listed,
                "add {context}::KINDS to the list of kinds, or take it out"
            );
        }
    }

    #[test]
    fn an_item_says_where_it_stands_and_keeps_the_rest() {
        let problem = Problem::field("name", "is missing").below("site").in_item(3);
        assert!(problem.is(&INVALID));
        assert_eq!(problem.errors(), [FieldError::new("items[3].site.name", "is missing")]);
        let detail = problem.into_body().detail.unwrap();
        assert_eq!(detail, "Nothing was done, because of item 3: site.name: is missing.");
    }
}
