//! The id of a request: taken from the client or its proxy if it is good, else made here. It is in
//! every answer's header, in every line of the log about the request, and in the audit rows of its
//! changes.

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::bounds;

/// The header that carries it, both ways.
pub static HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The id of the request with these headers.
pub fn of(headers: &HeaderMap) -> String {
    let given =
        headers.get(&HEADER).and_then(|value| value.to_str().ok()).filter(|id| well_formed(id));
    given.map_or_else(|| store::new_id().to_string(), str::to_owned)
}

/// Puts the id in an answer.
pub fn set(headers: &mut HeaderMap, id: &str) {
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(HEADER.clone(), value);
    }
}

/// Text for logs must not be able to fake log lines.
fn well_formed(id: &str) -> bool {
    (1..=bounds::HEADER_ID_CHARS).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:+/=".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_harmless_ids_are_taken_over() {
        for (id, taken) in [
            ("abc-1", true),
            ("a b", false),
            ("", false),
            (&*"a".repeat(129), false),
            ("a\"}", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HEADER.clone(), HeaderValue::from_str(id).unwrap());
            assert_eq!(of(&headers) == id, taken, "{id}");
        }
    }
}
