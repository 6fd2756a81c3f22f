//! The JSON shapes of issuers.

use chrono::{DateTime, Utc};
use policy::settings;
use serde::Serialize;
use store::issuer;
use uuid::Uuid;

use crate::http::answer::Object;

/// An issuer whose tokens a site accepts. Its shared secret is not shown.
#[derive(Debug, Serialize)]
pub(super) struct Issuer {
    pub id: Uuid,
    #[serde(flatten)]
    pub(super) settings: settings::Issuer,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    #[serde(skip)]
    revision: i64,
}

impl From<issuer::Issuer> for Issuer {
    fn from(row: issuer::Issuer) -> Self {
        Self {
            id: row.id.into(),
            settings: row.settings,
            created_at: row.created_at,
            updated_at: row.updated_at,
            revision: row.revision,
        }
    }
}

impl Object for Issuer {
    fn revision(&self) -> i64 {
        self.revision
    }
}
