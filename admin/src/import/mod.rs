//! Reading an OpenAPI description: a document in, routes or a list of mistakes out. Pure; no
//! database, no HTTP.
//!
//! Only the parts that become routes are read: the version, the paths and their operations.
//! Schemas, parameters and extensions are skipped, so that a mistake there does not keep a working
//! API from being published. Security is read only to warn that it is not imported.

mod document;
mod format;
mod pointer;
mod routes;
mod security;

use thiserror::Error;

pub use format::Format;
pub use routes::ImportedRoute;

use crate::http::problem::FieldError;

/// The routes of an OpenAPI description.
#[derive(Debug)]
pub struct Imported {
    /// One route per operation, in the order of the document.
    pub routes: Vec<ImportedRoute>,
    /// Parts that were left out or may surprise, in sentences.
    pub warnings: Vec<String>,
}

/// The reason why a document cannot be imported.
#[derive(Debug, Error)]
pub enum ImportError {
    /// It is no JSON or no YAML.
    #[error("{0}")]
    Syntax(String),
    /// These places in it are wrong; `field` is a JSON pointer (RFC 6901).
    #[error("{} places are wrong", .0.len())]
    Invalid(Vec<FieldError>),
}

/// Reads an OpenAPI 3.0 or 3.1 description of at most [`crate::bounds::IMPORT_ROUTES`] operations.
///
/// # Errors
/// [`ImportError::Syntax`] if it cannot be parsed, [`ImportError::Invalid`] with all mistakes that
/// were found, but at most [`routes::MAX_ERRORS`].
pub fn import(bytes: &[u8], format: Format) -> Result<Imported, ImportError> {
    let document = format::parse(bytes, format)?;
    routes::collect(document)
}

#[cfg(test)]
mod tests;
