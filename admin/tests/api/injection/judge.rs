//! Faults that no answer may have.

use std::cell::RefCell;
use std::collections::HashMap;

use jsonschema::Validator;
use serde_json::{Value, json};

use super::places::Schemas;
use crate::document::Operation;
use crate::harness::Reply;

/// Words that only the database, its driver or a panic uses, in lower case.
const OF_THE_INSIDE: [&str; 20] = [
    "sqlstate",
    "sqlx::",
    "postgres",
    "pg_catalog",
    "error returned from database",
    "syntax error at or near",
    "unterminated quoted",
    "invalid input syntax",
    "invalid byte sequence",
    "operator does not exist",
    "does not exist at character",
    "violates ",
    "permission denied",
    "row-level security",
    "null value in column",
    "out of range for type",
    "prepared statement",
    "current transaction is aborted",
    "panicked at",
    ".rs:",
];

/// Judges answers by the document, and by the neighbour's secrets.
pub(crate) struct Judge<'a> {
    pub(crate) schemas: &'a Schemas<'a>,
    /// Names and ids that only the neighbour may see.
    pub(crate) secrets: Vec<String>,
    /// A validator for each operation and status.
    validators: RefCell<HashMap<String, Option<Validator>>>,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(schemas: &'a Schemas<'a>, secrets: Vec<String>) -> Self {
        Self { schemas, secrets, validators: RefCell::default() }
    }

    /// The fault of an answer to a request with this payload; nothing if there is none.
    pub(crate) fn look(
        &self,
        operation: &Operation,
        sent: &str,
        reply: &Reply,
        sees_all: bool,
    ) -> Option<String> {
        if reply.status >= 500 {
            return Some("a fault of the service".to_owned());
        }
        if let Some(wrong) = self.form(operation, reply) {
            return Some(wrong);
        }
        let headers: String =
            reply.headers.iter().map(|(name, value)| format!("{name}: {value:?}\n")).collect();
        if reply.headers.contains_key("x-injected") {
            return Some("a header was put into the answer".to_owned());
        }
        if matches!(operation.id.as_str(), "openapi" | "metrics") {
            return None;
        }
        // A value that was sent may come back.
        let (all, sent) =
            (format!("{headers}{}", reply.text()).to_lowercase(), sent.to_lowercase());
        let told = OF_THE_INSIDE.iter().find(|text| all.contains(**text) && !sent.contains(**text));
        if let Some(text) = told {
            return Some(format!("`{text}` tells of the inside"));
        }
        let seen = self
            .secrets
            .iter()
            .find(|text| all.contains(text.as_str()) && !sent.contains(text.as_str()));
        seen.filter(|_| !sees_all).map(|text| format!("`{text}` is the neighbour's"))
    }

    /// The part of status, media type and body that is not in the document.
    fn form(&self, operation: &Operation, reply: &Reply) -> Option<String> {
        let status = reply.status.to_string();
        let responses = &operation.value["responses"];
        let Some(response) = responses.get(&status).map(|response| self.schemas.resolve(response))
        else {
            return Some(format!("the document has no {status}"));
        };
        let given = reply
            .headers
            .get("content-type")
            .map_or("", |value| value.to_str().unwrap_or_default());
        let media_type = given.split(';').next().unwrap_or_default();
        let Some(content) = response["content"].as_object() else {
            return (!reply.body.is_empty())
                .then(|| format!("the document has no body for {status}"));
        };
        let Some(found) = content.get(media_type) else {
            return Some(format!("the document has no `{media_type}` for {status}"));
        };
        if reply.status >= 400 && media_type != "application/problem+json" {
            return Some("it is no problem document".to_owned());
        }
        if !media_type.ends_with("json") {
            return None;
        }
        let Ok(body) = serde_json::from_slice::<Value>(&reply.body) else {
            return Some("the body is no JSON".to_owned());
        };
        let mut validators = self.validators.borrow_mut();
        let validator =
            validators.entry(format!("{} {status}", operation.id)).or_insert_with(|| {
                let schema = found.get("schema")?;
                let whole = json!({"allOf": [schema], "components": self.schemas.0["components"]});
                Some(
                    jsonschema::draft202012::new(&whole)
                        .unwrap_or_else(|error| panic!("{}: {error}", operation.id)),
                )
            });
        let error = validator.as_ref()?.iter_errors(&body).next()?;
        Some(format!(
            "the body is not what the document says: {} at `{}`",
            error,
            error.instance_path()
        ))
    }
}
