//! JSON and YAML, each with its bounds.

use super::document::Document;
use super::stop::{Stop, Stoppable};
use super::{ImportError, pointer};
use crate::http::problem::FieldError;

/// The text form of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// RFC 8259.
    Json,
    /// YAML 1.2.
    Yaml,
}

impl Format {
    /// The format that a media type names. Types that leave it open (none at all, plain text,
    /// bytes) are told by the first character, as every JSON document that could be meant begins
    /// with a brace. `None` for any other type.
    pub fn of(media_type: &str, bytes: &[u8]) -> Option<Self> {
        match media_type {
            "application/json" => Some(Self::Json),
            "application/yaml" | "application/x-yaml" | "text/yaml" | "text/x-yaml" => {
                Some(Self::Yaml)
            }
            "" | "application/octet-stream" | "text/plain" | "application/vnd.oai.openapi" => {
                let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
                Some(if first == Some(&b'{') { Self::Json } else { Self::Yaml })
            }
            other if other.ends_with("+json") => Some(Self::Json),
            other if other.ends_with("+yaml") => Some(Self::Yaml),
            _ => None,
        }
    }
}

/// Parses a document.
pub(super) fn parse(bytes: &[u8], format: Format, stop: &Stop) -> Result<Document, ImportError> {
    match format {
        // Some tenths of a second for 32 MiB: it is not worth stopping.
        Format::Json => parse_json(bytes),
        Format::Yaml => parse_yaml(bytes, stop),
    }
}

fn parse_json(bytes: &[u8]) -> Result<Document, ImportError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let document = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let inner = error.inner();
        if inner.classify() == serde_json::error::Category::Data {
            ImportError::Invalid(vec![FieldError::new(
                pointer::of_path(error.path()),
                inner.to_string(),
            )])
        } else {
            ImportError::Syntax(format!("The JSON cannot be parsed: {inner}."))
        }
    })?;
    deserializer
        .end()
        .map_err(|error| ImportError::Syntax(format!("The JSON cannot be parsed: {error}.")))?;
    Ok(document)
}

fn parse_yaml(bytes: &[u8], stop: &Stop) -> Result<Document, ImportError> {
    std::str::from_utf8(bytes).map_err(|error| {
        ImportError::Syntax(format!(
            "The document is not UTF-8: byte {} is wrong.",
            error.valid_up_to()
        ))
    })?;
    serde_saphyr::from_reader_with_options(Stoppable::new(bytes, stop), yaml_options())
        .map_err(|error| ImportError::Syntax(format!("The YAML cannot be parsed: {error}.")))
}

/// GitHub's description as YAML has some 600,000 nodes in 9 MB; these bounds fit one of the full 32
/// MiB. Aliases stay at the library's defaults, which stop documents that unfold to many times
/// their size.
fn yaml_options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 8_000_000,
            max_nodes: 4_000_000,
            max_depth: 128,
            max_documents: 1,
            max_anchors: 10_000,
            max_inclusion_depth: 0,
            max_total_scalar_bytes: crate::bounds::DOCUMENT_BYTES,
        },
        with_snippet: false,
    }
}
