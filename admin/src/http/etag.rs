//! Entity tags.

/// The entity tag of a revision (RFC 9110 section 8.8.3): strong, since a revision has one
/// representation.
pub fn etag(revision: i64) -> String {
    format!("\"{revision}\"")
}
