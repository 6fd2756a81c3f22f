//! Reading an OpenAPI description: a document in, routes or a list of mistakes out. No
//! database, no HTTP.
//!
//! Only the parts that become routes are read: the version, the paths and their operations.
//! Schemas, parameters and extensions are skipped, so that a mistake there does not keep a working
//! API from being published. Security is read only to warn that it is not imported.

mod document;
mod format;
mod places;
mod pointer;
mod routes;
mod security;
mod stop;
mod thread;

use thiserror::Error;

pub use format::Format;
pub use places::ImportPlaces;
pub use routes::ImportedRoute;
pub use stop::Stop;
pub use thread::import_apart;

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
    /// Nobody waits for it any more.
    #[error("nobody waits for it")]
    Stopped,
    /// No thread could be started for it, or it ended early.
    #[error("there is no thread for it")]
    NoThread,
}

/// Reads an OpenAPI 3.0 or 3.1 description of at most [`crate::bounds::IMPORT_ROUTES`] operations.
///
/// # Errors
/// [`ImportError::Syntax`] if it cannot be parsed, [`ImportError::Invalid`] with all mistakes that
/// were found, but at most [`routes::MAX_ERRORS`]; [`ImportError::Stopped`] soon after `stop`.
///
/// It recurses as deep as the document does, some hundred calls: see [`import_apart`].
pub fn import(bytes: &[u8], format: Format, stop: &Stop) -> Result<Imported, ImportError> {
    let document = format::parse(bytes, format, stop);
    if stop.is_set() {
        return Err(ImportError::Stopped);
    }
    routes::collect(document?, stop)
}

#[cfg(test)]
mod tests;
