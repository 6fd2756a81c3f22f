//! The JSON shapes of keys.

use std::fmt;

use chrono::{DateTime, Utc};
use policy::key::ApiKey;
use policy::settings::KeySettings;
use serde::{Deserialize, Serialize};
use store::key;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::bounds;
use crate::forms::check::Check;
use crate::forms::given::Given;
use crate::http::answer::Object;
use crate::http::body::present;
use crate::http::problem::Problem;

/// The time that an old key works after a rotation unless the client says otherwise: a day.
const GRACE_SECONDS: i64 = 24 * 60 * 60;

/// An API key, without its text.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Key {
    pub id: Uuid,
    /// Its name.
    #[schema(required = true, example = "CI")]
    name: Option<String>,
    /// The beginning and the end of its text, to tell keys apart.
    #[schema(example = "tnt_live_...x7Qa")]
    hint: String,
    /// The time from which it is refused; null for never.
    #[schema(required = true)]
    pub(super) expires_at: Option<DateTime<Utc>>,
    /// The time since which it is refused for good; null if it was not revoked.
    #[schema(required = true)]
    revoked_at: Option<DateTime<Utc>>,
    /// The key that took its place; null if it was not rotated.
    #[schema(required = true)]
    replaced_by: Option<Uuid>,
    /// Its own settings.
    settings: KeySettings,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    #[serde(skip)]
    revision: i64,
}

impl From<key::Key> for Key {
    fn from(row: key::Key) -> Self {
        Self {
            id: row.id.into(),
            name: row.name,
            hint: row.hint,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            replaced_by: row.replaced_by.map(Into::into),
            settings: row.settings,
            created_at: row.created_at,
            updated_at: row.updated_at,
            revision: row.revision,
        }
    }
}

impl Object for Key {
    fn revision(&self) -> i64 {
        self.revision
    }
}

/// A new API key, with its text.
#[derive(Serialize, ToSchema)]
pub(super) struct KeyWithText {
    /// The key itself. It is shown this once.
    #[schema(example = "tnt_live_<30 letters and digits><6 check characters>")]
    key: String,
    #[serde(flatten)]
    object: Key,
}

impl KeyWithText {
    pub(super) fn new(key: &ApiKey, row: key::Key) -> Self {
        Self { key: key.reveal().to_owned(), object: row.into() }
    }
}

impl fmt::Debug for KeyWithText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyWithText").field("object", &self.object).finish_non_exhaustive()
    }
}

impl Object for KeyWithText {
    const SECRET: bool = true;

    fn revision(&self) -> i64 {
        self.object.revision
    }
}

/// A new API key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewKey {
    /// Its name.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200, example = "CI")]
    pub(super) name: Option<String>,
    /// The time from which it is refused; null for never.
    #[serde(default)]
    pub(super) expires_at: Option<DateTime<Utc>>,
    /// Its own settings. An absent field has its default.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<KeySettings>, nullable = false)]
    pub(super) settings: Option<Given<KeySettings>>,
}

impl NewKey {
    /// Joins the client's wishes with the key that was drawn.
    pub(super) fn checked(
        self,
        now: DateTime<Utc>,
    ) -> Result<impl FnOnce(&ApiKey) -> key::NewKey, Problem> {
        let mut check = Check::new();
        if let Some(name) = &self.name {
            check.name("name", name);
        }
        check.future("expires_at", self.expires_at, now);
        let settings = check.settings(self.settings.as_ref());
        check.finish()?;
        Ok(move |key: &ApiKey| key::NewKey {
            name: self.name,
            digest: key.digest(),
            hint: key.hint(),
            expires_at: self.expires_at,
            settings: settings.unwrap_or_default(),
        })
    }
}

/// Changes of a key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyChanges {
    /// Its name; null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    name: Option<Option<String>>,
    /// Its own settings. They are replaced as a whole: an absent field gets its default.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<KeySettings>, nullable = false)]
    settings: Option<Given<KeySettings>>,
}

impl KeyChanges {
    pub(super) fn checked(self) -> Result<key::KeyPatch, Problem> {
        let mut check = Check::new();
        if let Some(Some(name)) = &self.name {
            check.name("name", name);
        }
        let settings = check.settings(self.settings.as_ref());
        check.finish()?;
        Ok(key::KeyPatch { name: self.name, settings })
    }
}

/// The rotation of a key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rotation {
    /// The seconds that the old key goes on working, unless it expires before; 0 ends it at once.
    #[serde(default, deserialize_with = "present")]
    #[schema(minimum = 0, maximum = 7776000, default = 86400, nullable = false)]
    grace_seconds: Option<i64>,
    /// The time from which the new key is refused; null for never.
    #[serde(default)]
    pub(super) expires_at: Option<DateTime<Utc>>,
}

impl Rotation {
    pub(super) fn grace(&self, now: DateTime<Utc>) -> Result<std::time::Duration, Problem> {
        let seconds = self.grace_seconds.unwrap_or(GRACE_SECONDS);
        let mut check = Check::new();
        check.range("grace_seconds", seconds, &bounds::GRACE_SECONDS);
        check.future("expires_at", self.expires_at, now);
        check.finish()?;
        Ok(std::time::Duration::from_secs(u64::try_from(seconds).unwrap_or_default()))
    }
}
