//! Resources as text that a person can review.

use serde_json::{Value, json};
use xds_server::readable;
use xds_server::resource::Named;

/// The whole of an `output.json`.
pub(crate) fn resources(translated: &Result<Vec<Named>, String>) -> String {
    let value = match translated {
        Ok(resources) => resources.iter().map(readable::resource).collect(),
        Err(error) => json!({ "error": error }),
    };
    let mut text = serde_json::to_string_pretty::<Value>(&value).expect("a value");
    text.push('\n');
    for unknown in ["unreadable_bytes", "unknown_fields"] {
        assert!(!text.contains(unknown), "src/readable lacks a type or a field:\n{text}");
    }
    text
}
