//! Ids of new rows.

use uuid::Uuid;

/// Makes a new id: a UUID of version 7 (RFC 9562 section 5.7), so that ids sort by the time at
/// which they were made, to the millisecond.
#[expect(clippy::disallowed_methods, reason = "the one source of ids")]
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}
