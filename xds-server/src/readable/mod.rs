//! Resources as text that a person can read: protobuf's JSON, with the names of fields in the
//! `.proto` files, and with packed messages shown in full.
//!
//! Messages of the filter have two differences: their bytes are shown as UUIDs or in hexadecimal,
//! and fields that hold secrets are left out ([`filter_schema`]).

mod descriptors;
mod filter_schema;
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
