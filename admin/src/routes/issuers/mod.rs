//! Issuers of JSON Web Tokens.

mod body;
mod check;
mod create;
mod delete;
mod get;
mod list;
mod schema;
mod secret;
mod update;

use chrono::{DateTime, Utc};
use policy::settings;
use serde::Serialize;
use store::issuer;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use self::body::{IssuerChanges, NewIssuer};
use crate::answer::Object;
use crate::app::App;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create::create, list::list)).routes(routes!(
        get::get,
        update::update,
        delete::delete
    ))
}

/// Whose tokens a site accepts. Its shared secret is not shown.
#[derive(Debug, Serialize)]
pub(super) struct Issuer {
    pub id: Uuid,
    #[serde(flatten)]
    settings: settings::Issuer,
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
