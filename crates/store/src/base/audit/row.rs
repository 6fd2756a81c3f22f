//! A row of the log, in the form in which it is exported, and the text that its hash is made of.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use sqlx::types::Json;
use uuid::Uuid;

use super::jsonb;

/// A row of the log: also a line of an export. `before` and `after` are kept as text, because the
/// hash is over their text, and a number that was read is not always written the same again.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditRow {
    /// The owner of its chain; nil for the platform.
    pub tenant_id: Uuid,
    /// The place in the chain, from 1.
    pub seq: i64,
    /// The time of its writing, to the microsecond.
    pub at: DateTime<Utc>,
    /// The kind of actor.
    pub actor_kind: String,
    /// The actor; nil for the program itself.
    pub actor_id: Uuid,
    /// The request that asked for the change.
    pub request_id: String,
    /// The address that the request came from.
    pub source: Option<String>,
    /// The action, such as `route.create`.
    pub action: String,
    /// The object that it was done to.
    pub object_id: Uuid,
    /// The object before, if there was one.
    pub before: Option<Json<Box<RawValue>>>,
    /// The object after, if there is one.
    pub after: Option<Json<Box<RawValue>>>,
    /// The hash of the row before in hexadecimal digits; empty in the first row.
    pub prev_hash: String,
    /// SHA-256 over the fields above, in hexadecimal digits.
    pub hash: String,
}

impl AuditRow {
    /// The hash that the fields come to; `None` if they say something that the database could not
    /// have written.
    pub fn computed_hash(&self) -> Option<String> {
        let digest = Sha256::digest(self.hashed_text()?);
        Some(digest.iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        }))
    }

    /// The input of the database's function `audit_row_hash`: the text of a `jsonb` array of the
    /// fields.
    fn hashed_text(&self) -> Option<String> {
        if !self.at.timestamp_subsec_nanos().is_multiple_of(1_000) {
            return None;
        }
        let mut text = String::with_capacity(512);
        let _ =
            write!(text, "[\"{}\", {}, {}, ", self.tenant_id, self.seq, self.at.timestamp_micros());
        jsonb::string(&mut text, &self.actor_kind);
        let _ = write!(text, ", \"{}\", ", self.actor_id);
        jsonb::string(&mut text, &self.request_id);
        text.push_str(", ");
        match &self.source {
            // PostgreSQL's text of an address has the length of its prefix.
            Some(source) => jsonb::string(
                &mut text,
                &format!("{source}/{}", if source.contains(':') { 128 } else { 32 }),
            ),
            None => text.push_str("null"),
        }
        text.push_str(", ");
        jsonb::string(&mut text, &self.action);
        let _ = write!(text, ", \"{}\"", self.object_id);
        for object in [&self.before, &self.after] {
            text.push_str(", ");
            match object {
                Some(Json(object)) => jsonb::value(&mut text, object)?,
                None => text.push_str("null"),
            }
        }
        text.push_str(", ");
        jsonb::string(&mut text, &self.prev_hash);
        text.push(']');
        Some(text)
    }
}
