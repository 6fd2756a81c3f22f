//! Resources as text that a person can read: protobuf's JSON where a type has one, and else the
//! fields as Rust shows them.
//!
//! Secrets do not show themselves (`Debug` of the messages that hold some leaves them out), and
//! nothing here brings them back.

mod fields;
mod message;

use serde_json::{Value, json};

use crate::resource::Named;

/// A resource with its type, name and version.
pub fn resource(named: &Named) -> Value {
    let body = &named.resource.body;
    json!({
        "type": named.kind.label(),
        "name": named.name,
        "version": named.resource.version.as_str(),
        "resource": message::readable(&body.type_url, &body.value),
    })
}
