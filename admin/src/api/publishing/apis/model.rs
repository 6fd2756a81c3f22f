//! The JSON shapes of apis.

use chrono::{DateTime, Utc};
use policy::settings::ApiSettings;
use serde::{Deserialize, Serialize};
use store::api;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::forms::check::Check;
use crate::forms::given::Given;
use crate::http::answer::Object;
use crate::http::body::present;
use crate::http::problem::Problem;

/// An API that a site publishes under a base path. A route of it is at `<base_path>/<version
/// name><route path>`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Api {
    pub id: Uuid,
    /// Its name, unique in the site.
    #[schema(example = "Orders")]
    name: String,
    /// The beginning of the paths of its routes; `/` for nothing.
    #[schema(example = "/orders")]
    base_path: String,
    /// True if the upstream sees the path without the base path and the version's name.
    strip_base_path: bool,
    /// The treatment of the requests of its routes.
    settings: ApiSettings,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    #[serde(skip)]
    revision: i64,
}

impl From<api::Api> for Api {
    fn from(row: api::Api) -> Self {
        Self {
            id: row.id.into(),
            name: row.name,
            base_path: row.base_path,
            strip_base_path: row.strip_base_path,
            settings: row.settings,
            created_at: row.created_at,
            updated_at: row.updated_at,
            revision: row.revision,
        }
    }
}

impl Object for Api {
    fn revision(&self) -> i64 {
        self.revision
    }
}

/// A new API.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewApi {
    /// Its name, unique in the site.
    #[schema(min_length = 1, max_length = 200, example = "Orders")]
    name: String,
    /// The beginning of the paths of its routes, unique in the site; `/` for nothing.
    #[schema(
        min_length = 1,
        max_length = 256,
        pattern = "^(/|(/[A-Za-z0-9._~-]+)+)$",
        example = "/orders"
    )]
    base_path: String,
    /// True if the upstream sees the path without the base path and the version's name.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, default = true)]
    strip_base_path: Option<bool>,
    /// The treatment of the requests of its routes. An absent field has its default.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<ApiSettings>, nullable = false)]
    settings: Option<Given<ApiSettings>>,
}

impl NewApi {
    pub(super) fn checked(self) -> Result<api::NewApi, Problem> {
        let mut check = Check::new();
        check.name("name", &self.name);
        check.base_path("base_path", &self.base_path);
        let settings = check.settings(self.settings.as_ref());
        check.finish()?;
        Ok(api::NewApi {
            name: self.name,
            base_path: self.base_path,
            strip_base_path: self.strip_base_path.unwrap_or(true),
            settings: settings.unwrap_or_default(),
        })
    }
}

/// Changes of an API.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ApiChanges {
    /// Its name, unique in the site.
    #[serde(default, deserialize_with = "present")]
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    name: Option<String>,
    /// The beginning of the paths of its routes, unique in the site; `/` for nothing.
    #[serde(default, deserialize_with = "present")]
    #[schema(
        min_length = 1,
        max_length = 256,
        pattern = "^(/|(/[A-Za-z0-9._~-]+)+)$",
        nullable = false
    )]
    base_path: Option<String>,
    /// True if the upstream sees the path without the base path and the version's name.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    strip_base_path: Option<bool>,
    /// The treatment of the requests of its routes. Settings are replaced as a whole: an absent
    /// field gets its default.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<ApiSettings>, nullable = false)]
    settings: Option<Given<ApiSettings>>,
}

impl ApiChanges {
    pub(super) fn checked(self) -> Result<api::ApiPatch, Problem> {
        let mut check = Check::new();
        if let Some(name) = &self.name {
            check.name("name", name);
        }
        if let Some(base_path) = &self.base_path {
            check.base_path("base_path", base_path);
        }
        let settings = check.settings(self.settings.as_ref());
        check.finish()?;
        Ok(api::ApiPatch {
            name: self.name,
            base_path: self.base_path,
            strip_base_path: self.strip_base_path,
            settings,
        })
    }
}
