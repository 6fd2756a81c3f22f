//! The permission table, joined with the paths and methods of the OpenAPI document.

use std::collections::HashMap;
use std::sync::Arc;

use axum::http::Method;
use thiserror::Error;
use utoipa::openapi::{OpenApi, PathItem, path::Operation};

use super::{nouns, table};

/// A document and a permission table that do not fit together: a fault of the program, found when
/// it starts.
#[derive(Debug, Error)]
pub enum AccessError {
    /// An operation has no id.
    #[error("the operation {method} {path} has no id")]
    NoId { method: Method, path: String },
    /// An operation is not in the table.
    #[error("the operation `{0}` has no row in rights/table; add one")]
    NoRow(String),
}

/// The demands of an operation on its caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The row of the table.
    pub operation: &'static table::Operation,
    /// The noun that it is about, as scopes name it: the tag of the document, in lower case and
    /// with hyphens.
    pub noun: Arc<str>,
}

/// The table's answer about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// The demands on the caller.
    For(Rule),
    /// The path has only these methods: an `Allow` header.
    OtherMethods(String),
    /// Not an operation.
    None,
}

/// The operations by path pattern and method, with their demands.
#[derive(Debug, Default)]
pub struct AccessTable {
    paths: HashMap<String, Vec<(Method, Rule)>>,
}

impl AccessTable {
    /// Joins the document with the permission table.
    pub fn of(document: &OpenApi) -> Result<Self, AccessError> {
        let mut paths = HashMap::new();
        for (path, item) in &document.paths.paths {
            let mut methods = Vec::new();
            for (method, operation) in operations(item) {
                let id = operation.operation_id.as_deref();
                let id = id.ok_or_else(|| AccessError::NoId {
                    method: method.clone(),
                    path: path.clone(),
                })?;
                let row = table::find(id).ok_or_else(|| AccessError::NoRow(id.to_owned()))?;
                methods.push((method, Rule { operation: row, noun: noun(operation).into() }));
            }
            paths.insert(path.clone(), methods);
        }
        Ok(Self { paths })
    }

    /// Looks up a method on a path pattern. HEAD is GET without the body (RFC 9110 section 9.3.2).
    pub fn find(&self, pattern: &str, method: &Method) -> Access {
        let Some(methods) = self.paths.get(pattern) else { return Access::None };
        let method = if method == Method::HEAD { &Method::GET } else { method };
        match methods.iter().find(|(known, _)| known == method) {
            Some((_, rule)) => Access::For(rule.clone()),
            None => {
                let names: Vec<_> = methods.iter().map(|(known, _)| known.as_str()).collect();
                Access::OtherMethods(names.join(", "))
            }
        }
    }
}

fn noun(operation: &Operation) -> String {
    operation.tags.iter().flatten().next().map(|tag| nouns::noun(tag)).unwrap_or_default()
}

/// The operations of a path, with their methods.
pub fn operations(item: &PathItem) -> impl Iterator<Item = (Method, &Operation)> {
    let all = [
        (Method::GET, &item.get),
        (Method::POST, &item.post),
        (Method::PUT, &item.put),
        (Method::PATCH, &item.patch),
        (Method::DELETE, &item.delete),
        (Method::HEAD, &item.head),
        (Method::OPTIONS, &item.options),
        (Method::TRACE, &item.trace),
    ];
    all.into_iter()
        .filter_map(|(method, operation)| operation.as_ref().map(|operation| (method, operation)))
}
