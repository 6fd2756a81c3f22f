//! A receipt on an answer.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Map, Value};

use super::Receipt;
use crate::bounds;

/// The field that it has in the body.
const FIELD: &str = "receipt";

/// Adds the receipt to the answer. It is a 202 unless every Envoy has the change; `None` says that
/// this is not known.
pub async fn with_receipt(response: Response, receipt: Option<&Receipt>) -> Response {
    let (mut parts, body) = response.into_parts();
    // The answers to writes are small, and made in memory.
    let bytes = axum::body::to_bytes(body, bounds::DOCUMENT_BYTES).await.unwrap_or_default();
    let mut fields = match serde_json::from_slice(&bytes) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let everywhere =
        receipt.is_some_and(|receipt| receipt.pending.is_empty() && receipt.refused.is_empty());
    let receipt =
        receipt.and_then(|receipt| serde_json::to_value(receipt).ok()).unwrap_or(Value::Null);
    fields.insert(FIELD.to_owned(), receipt);
    if !everywhere {
        parts.status = StatusCode::ACCEPTED;
    } else if parts.status == StatusCode::NO_CONTENT {
        parts.status = StatusCode::OK;
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Response::from_parts(parts, Body::from(Value::Object(fields).to_string()))
}
